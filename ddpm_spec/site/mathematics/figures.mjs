// What stands inside each figure when a page is loaded: node figures.mjs FOLDER NAME… prints a JSON object.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...names] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, `${name}.js`)));
const { first } = await load("figure");
const figures = {};
for (const name of names) figures[name] = first(await load(name));
process.stdout.write(JSON.stringify(figures));

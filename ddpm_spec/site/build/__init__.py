"""One build of the site: MkDocs' way in (`hooks`), the build itself (`site`), and kept pages (`rendered`)."""

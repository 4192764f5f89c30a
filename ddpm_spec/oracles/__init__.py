"""Data laws for which the best denoiser, and with it everything a trained model should do, is known.

| law                                     | made by               | closed form                        |
|-----------------------------------------|-----------------------|------------------------------------|
| normal, any mean and covariance         | `mixture.gaussian`    | everything, the sampler included   |
| mixture of normals                      | `mixture.Mixture`     | ε*, score; averages by quadrature  |
| a single image                          | `mixture.point`       | everything, the sampler included   |
| finitely many images                    | `mixture.lattice`     | ε*, score; averages by quadrature  |
| independent normal coordinates          | `gaussian.GaussianData` | everything                       |

Nothing here uses `formulas`: conditioning is by covariances and precisions, and by Bayes' rule on
finite sets, so that an oracle can judge the formulas. Averages by quadrature come with the error that
the quadrature itself shows.
"""

"""How Sphinx builds this documentation."""

import jsdiv_numba

project = "jsdiv_numba"
author = "The jsdiv_numba developers"
release = version = jsdiv_numba.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings describe the types
autodoc_mock_imports = ["jax", "torch"]  # the bridges are described without them
autosummary_generate = False  # the pages are written by hand, one for a module
numpydoc_show_class_members = False

html_theme = "furo"
html_show_copyright = False
html_title = "jsdiv_numba"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]

copybutton_exclude = ".linenos, .gp, .go"  # prompts and results are not copied

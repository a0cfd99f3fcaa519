"""The site of the documentation: ``make docs``. What is done to pages is in analysis/site."""

from importlib.metadata import metadata

from sphinx.application import Sphinx

from analysis.site.hooks import connect

_package = metadata("emulator-pipeline")

project = "emulator-pipeline"
author = "The emulator pipeline developers"
release = version = _package["Version"]
copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext", ".ipynb": "markdown"}
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # docstrings say shapes and units, which types do not
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_custom_sections = [
    "Returns",  # sentences, not a type and its description
    ("Attributes", "params_style"),  # a list, beside the members that have entries of their own
]

html_theme = "furo"
html_title = "Emulator pipeline"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
copybutton_exclude = ".linenos, .gp"


def setup(app: Sphinx) -> None:
    """Connect the hooks; called by Sphinx."""
    connect(app)

"""How Sphinx builds the site: strictly, from the docstrings and the pages here, without a network."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from sphinx.util.inspect import stringify_signature

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import mixed_data  # noqa: E402

project = "mixed_data"
author = "the mixed_data authors"
copyright = f"2026, {author}"
version = release = mixed_data.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "myst_nb",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# The notebooks stand in examples/, where GitHub shows them; tests/examples runs them.
for notebook in (HERE.parent / "examples").glob("*.ipynb"):
    shutil.copy(notebook, HERE / "examples")
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3

# Names in docstrings: `Schema.infer` is looked for in the whole package; what is not found there is shown as code.
default_role = "py:obj"
nitpicky = True
# Types that a signature names but no room offers have no page either.
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:.*", r"(?!mixed_data\.).*"),
    ("py:class", r"mixed_data\.\w+\.\w+\.\w+"),
]
autosummary_ignore_module_all = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Pages with a list of their sections on the right; the others are wider.
WITH_CONTENTS = ["photos", "missing_and_bad_data", "datasets", "design", "contributing"]
html_theme = "pydata_sphinx_theme"
html_title = "mixed_data"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": {page: ["page-toc"] for page in WITH_CONTENTS},
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def find_anywhere(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Link a bare name of a docstring to the one thing in the package that has it."""
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    found = {name for name, _ in domain.find_obj(env, None, None, node["reftarget"], None, 1)}
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found.pop(), node, content)


def show_init(app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returns: str) -> Any:
    """Show the arguments of a layer's constructor: Keras wraps it, so that they would read (*args, **kwargs)."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    own = inspect.signature(obj.__init__)
    return stringify_signature(
        own.replace(parameters=list(own.parameters.values())[1:], return_annotation=own.empty),
        unqualified_typehints=True,
    ), None


def skip_foreign(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out functions of other libraries that a class holds as a value."""
    return True if (getattr(member, "__module__", None) or "").partition(".")[0] == "numpy" else None


def refuse_the_net(app: Any, error: Exception | None) -> None:
    """Fail if a page would load something from elsewhere: the site is read offline, too."""
    outside = re.compile(r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//[^"]*"|<link[^>]* href="(?:https?:)?//[^"]*"')
    for page in Path(app.outdir).rglob("*.html") if error is None else []:
        if loaded := outside.search(page.read_text("utf-8")):
            raise RuntimeError(f"{page} loads from the net: {loaded[0]}")


def setup(app: Any) -> None:
    """Register them."""
    app.connect("autodoc-process-signature", show_init)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("missing-reference", find_anywhere)
    app.connect("build-finished", refuse_the_net)

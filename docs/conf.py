"""How the documentation is built: ``python -m sphinx -n -W -b html docs OUT``. Needs no network."""

import sys
from pathlib import Path

from prenopay import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "prenopay"
author = "The prenopay authors"
copyright = author
release = version = __version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "from_code"]
exclude_patterns = ["_extensions", "_build"]
root_doc = "index"

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autoclass_content = "both"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 88

nitpicky = True
nitpick_ignore_regex = [
    # the standard library: building needs no network, so there are no links to its pages
    (
        "py:.*",
        r"(abc|collections|contextlib|datetime|decimal|enum|importlib\.metadata|ipaddress|pathlib|random|ssl|threading|typing)\..*",
    ),
    # what every WSGI server passes to an app, and the connection that the books work with
    ("py:class", r"StartResponse|sqlalchemy\..*"),
    # modules that are not doors: nothing there is public, so it has no page
    ("py:.*", r"prenopay\.(?!errors|web|provider|testing)\w+\..*|prenopay\.providers\.\w+\.[a-z_]+\..*"),
    # classes of cryptography, and classes that stay inside the emulator or the provider
    ("py:class", r"cryptography\..*|Credentials|EmulatedGateway"),
    (
        "py:class",
        r"prenopay\.testing\.emulators\.swish\.(objects\.(Payment|Payout|Refund)|recurring\.(Charge|Consent))",
    ),
    # type variables have no page
    ("py:.*", r"(.*\.)?(ProviderT_co|ProviderT|RowT|RuleT|ServedT|B|R|T|W)"),
]

html_theme = "furo"
html_title = "prenopay"
html_static_path = ["_static"]
html_css_files = ["prenopay.css"]
html_copy_source = False
html_show_sphinx = False

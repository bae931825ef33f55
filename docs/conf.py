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
    # the standard library's pages are not asked for: building needs no network
    (
        "py:.*",
        r"(abc|collections\.abc|contextlib|datetime|decimal|enum|importlib\.metadata|ipaddress|pathlib|ssl|typing)\..*",
    ),
    # SQLAlchemy's, named in the ledger's port; and what every WSGI server hands to an app
    ("py:class", "Connection|StartResponse"),
    # wired by Accounts.add, never by a host
    ("py:class", r"prenopay\.execution\.(Ports|Execution)|prenopay\.ledger\.vault\.Vault|prenopay\._transport\..*"),
    # certificates as cryptography has them; what stays inside the provider
    ("py:class", r"cryptography\..*|Credentials"),
    # type variables are nobody's page
    ("py:.*", r"(.*\.)?(ProviderT_co|ProviderT|RowT|ServedT|B|T|W)"),
]

html_theme = "furo"
html_title = "prenopay"
html_static_path = ["_static"]
html_css_files = ["prenopay.css"]
html_copy_source = False
html_show_sphinx = False

"""What people touch: views of a Session in JupyterLab, Notebook and Voilà, alone or all together."""

import sys

from ..session.display import use_panels
from .add_panel import AddPanel
from .claim_panel import ClaimPanel
from .link_panel import LinkPanel
from .panel import display_bundle, panel
from .picker import ProfilePicker
from .session_panel import SessionPanel
from .upload_panel import UploadPanel

__all__ = [
    "AddPanel",
    "ClaimPanel",
    "LinkPanel",
    "ProfilePicker",
    "SessionPanel",
    "UploadPanel",
    "display_bundle",
    "panel",
]

use_panels(lambda: sys.modules[__name__])

"""What people touch: the panel of a Session in JupyterLab, Notebook and Voilà, whole or in parts."""

import sys

from ..session import use_panels
from .display import dashboard, display_bundle, display_with_copy, panel
from .panel import PARTS, AddPanel, ClaimPanel, LinkPanel, ProfilePicker, ResultPanel, SessionPanel, UploadPanel

__all__ = [
    "PARTS",
    "AddPanel",
    "ClaimPanel",
    "LinkPanel",
    "ProfilePicker",
    "ResultPanel",
    "SessionPanel",
    "UploadPanel",
    "dashboard",
    "display_bundle",
    "display_with_copy",
    "panel",
]

use_panels(lambda: sys.modules[__name__])

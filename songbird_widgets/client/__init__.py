"""A client of Songbird endpoints that can be used alone: it knows HTTP and nothing of Jupyter."""

from .errors import *  # the whole tree
from .models import *  # all messages
from .response import RawResponse as RawResponse
from .retry import Retry as Retry
from .songbird import AsyncSongbird as AsyncSongbird
from .songbird import Songbird as Songbird
from .upload_steps import ProfileUpload as ProfileUpload
from .upload_steps import UploadEvent as UploadEvent
from .upload_steps import UploadResult as UploadResult
from .uploads import aiter_uploads as aiter_uploads
from .uploads import aupload_profiles as aupload_profiles
from .uploads import iter_uploads as iter_uploads
from .uploads import upload_profiles as upload_profiles

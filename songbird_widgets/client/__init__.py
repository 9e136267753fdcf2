"""A client of Songbird endpoints that can be used alone: it knows HTTP and nothing of Jupyter."""

from .conversation import RawResponse
from .errors import (
    AuthenticationError,
    BadRequest,
    Cancelled,
    ConfigurationError,
    Conflict,
    EndpointTimeout,
    EndpointUnreachable,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ResponseError,
    ServerError,
    SessionExpired,
    SongbirdError,
    UploadRefused,
    ValidationError,
)
from .models import *
from .retry import Retry
from .songbird import AsyncSongbird, Songbird
from .uploads import ProfileUpload, UploadProgress, UploadResult, aupload_profiles, upload_profiles

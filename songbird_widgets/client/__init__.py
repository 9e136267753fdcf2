"""A client of Songbird endpoints that can be used alone: it knows HTTP and nothing of Jupyter."""

from .conversation import RawResponse as RawResponse
from .errors import (
    AuthenticationError as AuthenticationError,
)
from .errors import (
    BadRequest as BadRequest,
)
from .errors import (
    Cancelled as Cancelled,
)
from .errors import (
    ConfigurationError as ConfigurationError,
)
from .errors import (
    Conflict as Conflict,
)
from .errors import (
    EndpointTimeout as EndpointTimeout,
)
from .errors import (
    EndpointUnreachable as EndpointUnreachable,
)
from .errors import (
    NotFound as NotFound,
)
from .errors import (
    PayloadTooLarge as PayloadTooLarge,
)
from .errors import (
    RateLimited as RateLimited,
)
from .errors import (
    ResponseError as ResponseError,
)
from .errors import (
    ServerError as ServerError,
)
from .errors import (
    SessionExpired as SessionExpired,
)
from .errors import (
    SongbirdError as SongbirdError,
)
from .errors import (
    UploadRefused as UploadRefused,
)
from .errors import (
    ValidationError as ValidationError,
)
from .models import (
    BatchCreateReferenceProfileUploadRequest as BatchCreateReferenceProfileUploadRequest,
)
from .models import (
    BatchLogReferenceRequest as BatchLogReferenceRequest,
)
from .models import (
    BatchLogSessionReferenceResponse as BatchLogSessionReferenceResponse,
)
from .models import (
    ClaimGuestSessionRequest as ClaimGuestSessionRequest,
)
from .models import (
    ClaimGuestSessionResponse as ClaimGuestSessionResponse,
)
from .models import (
    CreateDatasetProfileUploadRequest as CreateDatasetProfileUploadRequest,
)
from .models import (
    CreateDatasetProfileUploadResponse as CreateDatasetProfileUploadResponse,
)
from .models import (
    CreateReferenceProfileUploadRequest as CreateReferenceProfileUploadRequest,
)
from .models import (
    CreateSessionRequest as CreateSessionRequest,
)
from .models import (
    CreateSessionResponse as CreateSessionResponse,
)
from .models import (
    GetProfileObservatoryLinkRequest as GetProfileObservatoryLinkRequest,
)
from .models import (
    GetProfileObservatoryLinkResponse as GetProfileObservatoryLinkResponse,
)
from .models import (
    GetSessionProfileObservatoryLinkRequest as GetSessionProfileObservatoryLinkRequest,
)
from .models import (
    GetSessionRequest as GetSessionRequest,
)
from .models import (
    GetSessionResponse as GetSessionResponse,
)
from .models import (
    ListSessionProfilesRequest as ListSessionProfilesRequest,
)
from .models import (
    ListSessionProfilesResponse as ListSessionProfilesResponse,
)
from .models import (
    LogAsyncRequest as LogAsyncRequest,
)
from .models import (
    LogReferenceRequest as LogReferenceRequest,
)
from .models import (
    LogSessionReferenceResponse as LogSessionReferenceResponse,
)
from .models import (
    SegmentTag as SegmentTag,
)
from .models import (
    SessionMetadata as SessionMetadata,
)
from .models import (
    SessionProfile as SessionProfile,
)
from .retry import Retry as Retry
from .songbird import AsyncSongbird as AsyncSongbird
from .songbird import Songbird as Songbird
from .uploads import (
    ProfileUpload as ProfileUpload,
)
from .uploads import (
    UploadProgress as UploadProgress,
)
from .uploads import (
    UploadResult as UploadResult,
)
from .uploads import aupload_profiles as aupload_profiles
from .uploads import upload_profiles as upload_profiles

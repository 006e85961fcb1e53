"""One folder per Lambda function.

msgspec takes ``typing_extensions`` where it is installed, though ``typing`` has all of it since Python 3.11, and its
import is a tenth of a function's start. So msgspec is imported here, first of all, as if it were not installed;
whoever imports it afterwards gets it.
"""

import sys

if "typing_extensions" not in sys.modules:
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # documented: the import of such a name fails
    try:
        import msgspec  # noqa: F401 - imported for the sake of its own imports
    finally:
        del sys.modules["typing_extensions"]

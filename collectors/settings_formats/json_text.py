"""What does a JSON file say?"""

import msgspec

from collectors.settings_formats.values import NotUnderstood, Value


def parse_json(content: bytes) -> Value:
    """Raises NotUnderstood if it is no JSON object."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotUnderstood("not JSON") from error
    if not isinstance(document, dict):
        raise NotUnderstood("no JSON object")
    return document

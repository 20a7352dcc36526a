"""The sentences that the guards tell, in English and Japanese, and which of the two a request wants."""

from dataclasses import dataclass

from app.access.asgi import Scope, Send, cookie, header, respond, respond_json

__all__ = ["Text", "is_api", "language_of", "tell"]

LANGUAGE_COOKIE = "hred_language"
"""Set by the page's language menu."""
_OPENAI = "/v1/"
_API = ("/api/", _OPENAI)


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages; may hold fields of `str.format`."""

    en: str
    ja: str

    def in_language(self, language: str, **values: object) -> str:
        """Returns the sentence in `en` or `ja`."""
        return (self.ja if language == "ja" else self.en).format(**values)


def language_of(scope: Scope) -> str:
    """Returns the language that was chosen on the page; else `ja` where the browser prefers that to English."""
    wished = cookie(scope, LANGUAGE_COOKIE)
    if wished in ("en", "ja"):
        return wished
    best, chosen = 0.0, "en"
    for part in header(scope, "accept-language").split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        language = tag.partition("-")[0]
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if language in ("en", "ja") and weight > best:
            best, chosen = weight, language
    return chosen


def is_api(path: str) -> bool:
    """Returns whether a path is a call of the API, which keys open, and not a page, which logins open."""
    return (path + "/").startswith(_API)


async def tell(
    scope: Scope,
    send: Send,
    status: int,
    text: Text,
    headers: tuple[tuple[str, str], ...] = (),
    **values: object,
) -> None:
    """Answers with a sentence, in the form that whoever asked reads: OpenAI's, the API's, Gradio's, or as text.

    The API's sentences are English, as are all of its answers.
    """
    path = scope["path"]
    sentence = text.in_language("en" if is_api(path) else language_of(scope), **values)
    if (path + "/").startswith(_OPENAI):
        kind = "rate_limit_exceeded" if status == 429 else "invalid_request_error"
        error = {"message": sentence, "type": kind, "param": None, "code": None}
        await respond_json(send, status, {"error": error}, headers)
    elif is_api(path):
        await respond_json(send, status, {"error": sentence}, headers)
    elif path.startswith("/gradio_api/"):
        await respond_json(send, status, {"detail": sentence}, headers)
    else:
        await respond(send, status, sentence.encode() + b"\n", headers=headers)

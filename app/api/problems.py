"""What a request can be answered with instead of a reply: a status and one sentence."""

import json
import logging
from typing import Any

from dialog.errors import BusyError, DialogError, UsageError

__all__ = ["Problem", "problem_of"]

_RETRY_SECONDS = 1


class Problem(Exception):
    """A request that gets no reply.

    Args:
        status: of HTTP.
        sentence: what was found, what was expected, what to do next.
        param: the field that is meant, where it is one.
        code: a word for programs, where there is one.
    """

    def __init__(self, status: int, sentence: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.param, self.code = status, sentence, param, code

    @property
    def headers(self) -> dict[str, str]:
        """Further headers: when to try again, for a server that is busy."""
        return {"retry-after": str(_RETRY_SECONDS)} if self.status == 503 else {}

    def to_json(self) -> bytes:
        """Returns the body; in ASCII, for the sentence may quote what no UTF-8 can hold."""
        return json.dumps({"error": self.sentence}).encode()

    def to_openai(self) -> dict[str, Any]:
        """Returns the value that OpenAI's clients read an error from."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {"message": self.sentence, "type": kind, "param": self.param, "code": self.code},
        }


def problem_of(error: BaseException) -> Problem:
    """Returns what is told of an error; one that nobody foresaw is written to the server's log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BusyError):
        return Problem(503, str(error), code="busy")
    if isinstance(error, UsageError):
        return Problem(422, str(error))
    if isinstance(error, DialogError):
        return Problem(500, str(error))
    logging.getLogger("hred.api").error("a request failed", exc_info=error)
    return Problem(
        500, f"the server failed ({type(error).__name__}); its own output says more, try again later"
    )

"""The pages to log in and out: plain HTML that needs no script, in the browser's language."""

import html

from app.access.texts import Text

__all__ = ["log_in_page", "log_out_page"]

_TITLE = Text("Log in", "ログイン")
_NAME = Text("Name", "名前")
_PASSWORD = Text("Password", "パスワード")
_LEAVE = Text("Log out", "ログアウト")
_LEAVE_EVERYWHERE = Text("Log out on every device", "すべての端末からログアウト")
_WHO = Text("You are logged in as {name}.", "{name} としてログインしています。")
_BACK = Text("Back to the chats", "チャットに戻る")

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { width: min(22rem, 90vw); }
label { display: block; margin-top: 1rem; }
input, button { font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin-top: .3rem; }
button { margin-top: 1.2rem; cursor: pointer; }
[role=alert] { border-left: .25rem solid #c33; padding-left: .7rem; }
"""


def log_in_page(language: str, refusal: str = "", name: str = "") -> bytes:
    """Returns the page with the form that `POST /login` reads.

    Args:
        language: `en` or `ja`.
        refusal: why the last try failed, in that language.
        name: that was typed then.
    """
    title = _TITLE.in_language(language)
    told = f'<p role="alert">{html.escape(refusal)}</p>' if refusal else ""
    first, second = ("", " autofocus") if name else (" autofocus", "")
    return _page(
        language,
        title,
        f"""{told}<form method="post" action="/login">
<label for="name">{_NAME.in_language(language)}</label>
<input id="name" name="name" value="{html.escape(name)}" autocomplete="username" required{first}>
<label for="password">{_PASSWORD.in_language(language)}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{second}>
<button>{title}</button>
</form>""",
    )


def log_out_page(language: str, name: str) -> bytes:
    """Returns the page with the forms that `POST /logout` reads.

    Args:
        language: `en` or `ja`.
        name: who is logged in.
    """
    who = html.escape(_WHO.in_language(language, name=name))
    return _page(
        language,
        _LEAVE.in_language(language),
        f"""<p>{who}</p>
<form method="post" action="/logout"><button>{_LEAVE.in_language(language)}</button></form>
<form method="post" action="/logout"><input type="hidden" name="everywhere" value="1">
<button>{_LEAVE_EVERYWHERE.in_language(language)}</button></form>
<p><a href="/">{_BACK.in_language(language)}</a></p>""",
    )


def _page(language: str, title: str, body: str) -> bytes:
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title} · dialog</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
""".encode()

"""Fuzzing of every reader of logs, guided by coverage; no part of the suite.

    pip install atheris                  # Linux; on macOS it has to be built, see its documentation
    python tests/fuzz/readers.py FOUND -max_total_time=300

FOUND is a folder: inputs that reached new code are kept there, and the next run goes on from them. The first byte of
an input chooses the format and whether it is masked, the rest is the file. What must hold is `read_anything` of
`tests/dialog/corpus/chat_laws.py`: a sentence, or sums that are right; never another error, never a hang (libFuzzer's
`-timeout`).
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["dialog.corpus", "dialog.text.normalise"]):
    from dialog.corpus.formats import FORMATS
    from tests.dialog.corpus.chat_laws import read_anything

_CHOICES: list[str | None] = [None, *FORMATS]

SEEDS = {
    "whatsapp": "12/31/20, 11:59\u202fPM - Anna: hi\nthere\n1/1/21, 12:00\u202fAM - Tom: <Media omitted>\n"
    "\u200e[31.12.20, 23:59:59] ~\u202fTom: \u200e<attached: 1-PHOTO.jpg>\n[31.12.20, 23:59:59] A: +49 170 1234567\n",
    "telegram": '{"name":"A","type":"personal_chat","id":1,"messages":[{"id":1,"type":"message","from":"A",'
    '"date":"2020-01-01T00:00:00","text":["hi",{"type":"mention","text":"@b"}],"reply_to_message_id":1}]}',
    "discord": '{"guild":{},"channel":{"id":"1"},"messages":[{"id":"1","type":"Reply","content":"hi <@1>",'
    '"timestamp":"2020-01-01T00:00:00+00:00","author":{"id":"1","name":"a"},"mentions":[{"id":"1","name":"b"}],'
    '"reference":{"messageId":"1"}}]}',
    "slack": '[{"type":"message","user":"U1","text":"hi <@U1> <http://x.y|z>","ts":"1600000000.000100",'
    '"thread_ts":"1600000000.000100"}]',
    "line": '[LINE] 花子とのトーク履歴\n保存日時：2021/01/02 10:00\n\n2020/12/31(木)\n23:59\t花子\t"二\n行"\n'
    "午後11:59\t太郎\t[写真]\n",
    "irc": "--- Log opened Thu Dec 31 12:00:00 2020\n12:00 <@ann> hi\n12:01  * bob waves\n"
    "[12:00:00] *** Joins: x\n2020-12-31 12:00:00\tann\thi\n",
    "mbox": "From a@b Thu Dec 31 12:00:00 2020\nFrom: =?utf-8?q?A?= <a@b>\nMessage-ID: <1@b>\n"
    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>a</p>\n--b--\n\n"
    "On x, A <a@b> wrote:\n> q\n-- \nA\n",
    "chatgpt": '[{"mapping":{"a":{"parent":null,"message":{"author":{"role":"user"},"content":{"content_type":"text",'
    '"parts":["hi"]}}}},"current_node":"a"}]',
}
"""What the first run begins with: a small log of each format."""


def main() -> None:
    """Runs until libFuzzer's own options stop it; an input that breaks a law is written out and named."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"

        def one_input(data: bytes) -> None:
            if data:
                path.write_bytes(data[1:])
                read_anything(path, _CHOICES[data[0] % 64 % len(_CHOICES)], mask=data[0] >= 128)

        found = next((Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")), None)
        if found is not None:
            found.mkdir(parents=True, exist_ok=True)
            for name, text in SEEDS.items():
                for mask in (0, 128):
                    (found / f"{name}-{mask}").write_bytes(
                        bytes([_CHOICES.index(name) + mask]) + text.encode()
                    )
        atheris.Setup([*sys.argv, "-timeout=20", "-max_len=4096"], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

"""What the server lets through, and how `hred serve` refuses."""

import http.client
import socket
import subprocess
import sys

import pytest


def answer(server, method, path, headers=None):
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=300)
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    response.body = response.read()
    connection.close()
    return response


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/proxy=http://203.0.113.9/"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/config"),
        ("GET", "/gradio_api/info"),
        ("POST", "/gradio_api/run/send"),
    ],
)
def test_routes_without_use_are_closed(server, method, path):
    assert answer(server, method, path).status == 404


def test_a_strange_name_and_a_foreign_page_are_refused(server):
    assert answer(server, "GET", "/", {"Host": "evil.example"}).status == 400
    assert answer(server, "POST", "/api/reply", {"Origin": "http://evil.example"}).status == 403
    read = answer(server, "GET", "/api/models", {"Origin": "http://localhost:3000"})
    assert read.status == 200 and read.getheader("access-control-allow-origin") is None


def test_forwarded_headers_of_nobody_change_nothing(server):
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Gradio-Server": "http://evil.example",
        "X-Forwarded-Proto": "https",
    }
    read = answer(server, "GET", "/", headers)
    assert read.status == 200 and b"evil.example" not in read.body
    assert "Secure" not in read.getheader("set-cookie")


def test_a_new_browser_gets_a_cookie_that_scripts_cannot_read_and_keeps_it(server):
    first = answer(server, "GET", "/")
    cookie = first.getheader("set-cookie")
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    again = answer(server, "GET", "/", {"Cookie": cookie.split(";")[0]})
    assert again.getheader("set-cookie") is None
    assert answer(server, "GET", "/").getheader("set-cookie") != cookie


def test_chats_leave_as_a_file_by_the_cookie_alone(server):
    assert answer(server, "GET", "/chats/export").status == 401
    answered = answer(server, "GET", "/chats/export", {"Cookie": "hred_owner=somebody"})
    assert answered.status == 200 and answered.getheader("content-disposition").startswith("attachment")


def test_the_page_may_load_and_tell_nothing_elsewhere(server):
    policy = answer(server, "GET", "/").getheader("content-security-policy")
    assert "default-src 'self'" in policy and "unsafe-eval" not in policy


def serve(*arguments):
    command = [sys.executable, "-m", "dialog", "serve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_taken_port_is_one_sentence_with_the_command_that_helps(run_folders):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = serve(run_folders[0], "--port", port)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "hred serve --port" in done.stderr


def test_the_option_that_let_everybody_in_is_gone(run_folders):
    done = serve(run_folders[0], "--host", "0.0.0.0", "--allow-remote")
    assert done.returncode == 2
    assert "--allow-remote is gone" in done.stderr and "hred users add" in done.stderr


def test_a_run_that_is_not_there_is_one_sentence():
    done = serve("no-such-run")
    assert done.returncode == 1
    assert "no-such-run is no folder and no shipped model" in done.stderr and done.stderr.count("\n") == 1

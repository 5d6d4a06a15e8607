"""Servers that say in odd ways where a session is, or not at all: names work all the same."""

import pytest

from ftpservice.wire.replies import Reply
from ftpservice_client import connect_pool
from ftpservice_client.ftp.working_directory import can_change_to, directory_from_reply, joined
from ftpservice_client.urls import Destination, Scheme
from tests.support.scripted_server import ScriptedServer

ANSWERS = {
    "RETR": "150 here\r\n226 done",
    "STOR": "150 go\r\n226 done",
    "CWD": "250 ok",
    "CDUP": "250 ok",
    "DELE": "250 ok",
    "FEAT": "211 none",
}


@pytest.mark.parametrize(
    ("code", "text", "directory"),
    [
        (257, '"/" is the current directory', "/"),
        (257, '"/a ""b"" c" is it', '/a "b" c'),
        (250, '"/in"', "/in"),
        (257, "/in", "/in"),
        (257, "/", "/"),
        (257, "/a b is current directory.", "/a b"),
        (257, "Current directory is /in/side.", "/in/side"),
        (200, "PWD ok: /in", "/in"),
        (257, '"/open', "/open"),
        (257, "\"'HLQ.'\" is working directory", "'HLQ.'"),
        (257, '"C:\\in"', "C:\\in"),
        (257, "no path", ""),
        (257, '""', ""),
        (257, "", ""),
        (257, '"/a\0b"', ""),
        (257, "1/2 of it", ""),
        (502, '"/in"', ""),
        (550, "/in", ""),
    ],
)
def test_what_servers_say_to_pwd(code, text, directory):
    assert directory_from_reply(Reply(code, (text,))) == directory


def test_a_server_without_cdup_is_asked_for_the_directory_above_by_cwd():
    server = ScriptedServer({**ANSWERS, "CDUP": "502 no", "PWD": "502 no"})
    client = server.client()
    server.result(client.change_directory("in"))
    assert server.result(client.change_directory("..")) == "."
    assert [line for line in server.commands if line.startswith("C")] == [
        "CWD in",
        "CDUP",
        "CWD ..",
    ]


@pytest.mark.parametrize(
    ("directory", "path", "found"),
    [
        (".", "in", "./in"),
        ("./in", "side", "./in/side"),
        ("./in", "..", "."),
        (".", "..", ".."),
        ("..", "a", "../a"),
        (".", ".hidden", "./.hidden"),
        (".", "/", "/"),
        ("/", "//in/../b/", "/b"),
        ("/a", "../b", "/b"),
    ],
)
def test_names_lead_where_the_server_does_not_say(directory, path, found):
    assert joined(directory, path) == found


def test_what_is_relative_is_reached_from_the_start_alone():
    assert can_change_to("/x", "/y")
    assert can_change_to("./x", "/y")
    assert can_change_to(".", "./y")
    assert can_change_to("./y", "./y")
    assert not can_change_to("./x", "./y")
    assert not can_change_to("./x", ".")
    assert not can_change_to("./x", "../y")
    assert can_change_to("./x", ".y")


ODD = ["257 nothing", "250 ok", "500 what?", "502 no", "550 no", "530 no", "257", "257 \x1b[0m"]


@pytest.mark.parametrize("pwd", ODD)
def test_relative_names_work_without_pwd(pwd):
    server = ScriptedServer({**ANSWERS, "PWD": pwd}, b"data")
    client = server.client()
    assert client.directory == "."
    assert server.result(client.download("x")).data == b"data"
    assert server.result(client.change_directory("in")) == client.directory == "./in"
    assert server.result(client.change_directory("side")) == "./in/side"
    assert server.result(client.change_directory("..")) == "./in"
    server.result(client.send("CWD other"))
    assert client.directory == "./in/other"
    server.result(client.send("CDUP"))
    assert client.directory == "./in"
    assert server.result(client.change_directory("/abs")) == "/abs"
    assert [line for line in server.commands if line.startswith(("RETR", "CWD", "CDUP"))] == [
        *("RETR x", "CWD in", "CWD side", "CDUP", "CWD other", "CDUP", "CWD /abs"),
    ]
    client.abort()


@pytest.mark.parametrize("pwd", ["250 /in", "257 /in", '250 "/in"'])
def test_what_is_said_in_another_way_is_understood(pwd):
    server = ScriptedServer({**ANSWERS, "PWD": pwd}, b"data")
    client = server.client()
    assert client.directory == "/in"
    client.abort()


def test_a_new_session_goes_back_from_where_sessions_begin():
    server = ScriptedServer({**ANSWERS, "PWD": "502 no"}, b"data")
    client = server.client(retries=1)
    server.result(client.change_directory("in"))
    server.connections[0].say("421 idle", "")
    server.network.settle()
    del server.commands[:]
    assert server.result(client.delete("x"), 5.0) is None
    assert server.commands[-3:] == ["CWD in", "PWD", "DELE x"]
    client.abort()


def test_the_sessions_of_a_pool_do_not_go_astray():
    server = ScriptedServer({**ANSWERS, "PWD": "502 no"}, b"data")
    place = Destination(Scheme.FTP, "127.0.0.1", 21, "ann", "secret")
    pool = server.result(connect_pool(place, 2, reactor=server.network))
    server.result(pool.change_directory("a"))
    server.result(pool.delete("x"))
    assert (pool.directory, len(server.connections)) == ("./a", 1)
    server.result(pool.change_directory("../b"))
    del server.commands[:]
    server.result(pool.delete("x"))
    assert pool.directory == "./b"
    assert [line for line in server.commands if line.startswith(("CWD", "DELE"))] == ["DELE x"]
    first, second = pool.delete("x"), pool.delete("y")
    del server.commands[:]
    server.result(first)
    server.result(second)
    there = [line for line in server.commands if line.startswith(("CWD", "DELE"))]
    assert there.count("CWD b") == 1
    assert there.count("CWD a") == 0
    pool.abort()

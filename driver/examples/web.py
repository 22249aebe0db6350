"""A web server and its client.

Machines `client` and `server` with systemd, on one network: --vlans 1
"""

from textwrap import dedent


def write_unit(name, text):
    """Writes a unit file on the server."""
    path = f"/etc/systemd/system/{name}"
    server.succeed(f"cat >{path} <<'UNIT'\n{dedent(text)}UNIT")


start_all()
server.wait_for_unit("multi-user.target")

with subtest("the server responds on localhost"):
    # systemd listens, and runs the script for each connection.
    write_unit(
        "web.socket",
        """\
        [Socket]
        ListenStream=0.0.0.0:80
        Accept=yes
        """,
    )
    write_unit(
        "web@.service",
        """\
        [Service]
        StandardInput=socket
        ExecStart=/usr/local/bin/web
        """,
    )
    server.succeed(
        r"""
        printf %s '#!/bin/sh
        while read -r header && [ ${#header} -gt 1 ]; do :; done
        printf "HTTP/1.0 200 OK\r\n\r\nHello, $REMOTE_ADDR"
        ' >/usr/local/bin/web
        chmod +x /usr/local/bin/web
        systemctl daemon-reload
        systemctl start web.socket
        """
    )
    server.wait_for_open_port(80)
    t.assertIn("Hello", server.succeed("curl --silent --fail http://localhost/"))

with subtest("the client reaches it by name"):
    client.wait_for_unit("multi-user.target")
    address = client.wait_until_succeeds("ip -4 -oneline address show eth1 | grep inet")
    address = address.split()[3].split("/")[0]
    page = client.succeed("curl --silent --fail --max-time 20 http://server/")
    t.assertEqual(page, f"Hello, {address}")

with subtest("a stopped server is unreachable"):
    server.stop_job("web.socket")
    server.wait_for_closed_port(80)
    client.fail("curl --silent --fail --max-time 5 http://server/")

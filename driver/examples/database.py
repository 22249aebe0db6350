"""A database, and a power failure in the middle of its work.

Machine `machine` with systemd.
"""

machine.wait_for_unit("multi-user.target")


def sql(query, check=True):
    run = machine.succeed if check else machine.fail
    return run(f"sqlite3 /var/lib/accounts.db \"{query}\"").strip()


with subtest("what was committed survives a crash"):
    sql("create table accounts (name text primary key, balance integer)")
    sql("insert into accounts values ('alice', 100), ('bob', 0)")
    machine.succeed("sync")

    # Somebody is in the middle of something, and holds the database. Whoever looks whether
    # it is held holds it for a moment, too: that is waited for.
    begun = "begin exclusive; update accounts set balance = 0;"
    machine.succeed(
        f'systemd-run --unit=writer sh -c "(echo \'{begun}\'; sleep 1d) '
        "| sqlite3 -cmd '.timeout 60000' /var/lib/accounts.db\""
    )
    machine.wait_until_fails("sqlite3 /var/lib/accounts.db 'begin immediate'")
    machine.crash()

with subtest("what was not is gone"):
    machine.start()
    machine.wait_for_unit("multi-user.target")
    t.assertEqual(sql("pragma integrity_check"), "ok")
    t.assertEqual(sql("select * from accounts order by name"), "alice|100\nbob|0")
    sql("insert into accounts values ('alice', 1)", check=False)

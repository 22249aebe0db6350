"""A database, and a power failure during a transaction.

Machine `machine` with systemd.
"""

machine.wait_for_unit("multi-user.target")


def sql(query, check=True):
    run = machine.succeed if check else machine.fail
    return run(f"sqlite3 /var/lib/accounts.db \"{query}\"").strip()


with subtest("a machine crashes during a transaction"):
    sql("create table accounts (name text primary key, balance integer)")
    sql("insert into accounts values ('alice', 100), ('bob', 0)")
    machine.succeed("sync")

    # A transaction that is never committed locks the database. The probe below locks it
    # briefly too, which is what the timeout is for.
    transaction = "begin exclusive; update accounts set balance = 0;"
    machine.succeed(
        f'systemd-run --unit=writer sh -c "(echo \'{transaction}\'; sleep 1d) '
        "| sqlite3 -cmd '.timeout 60000' /var/lib/accounts.db\""
    )
    machine.wait_until_fails("sqlite3 /var/lib/accounts.db 'begin immediate'")
    machine.crash()

with subtest("only committed transactions survive"):
    machine.start()
    machine.wait_for_unit("multi-user.target")
    t.assertEqual(sql("pragma integrity_check"), "ok")
    t.assertEqual(sql("select * from accounts order by name"), "alice|100\nbob|0")
    sql("insert into accounts values ('alice', 1)", check=False)

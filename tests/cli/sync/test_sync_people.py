"""`libres sync` from the outside: setting up, organisations, roles and users."""

from __future__ import annotations

import pytest

from libres.sync import Sync
from libres.sync.examples import USERS
from libres.sync.users import Users
from tests.cli.sync.running import PASSWORD, invoked


def words(said):
    """The lines of a table, as lists of words; without its head."""
    return [line.split() for line in said.splitlines()[1:]]


# Setting up ---------------------------------------------------------------------------


def test_setup_of_nothing(empty_dsn):
    """An empty database gets all tables, once more does no harm, and is then well."""
    for _ in range(2):
        result = invoked("setup", "--dsn", empty_dsn)
        assert result.output == (
            "Synchronisation is set up: changes of 3 models are noted.\n"
        )
    assert invoked("doctor", "--dsn", empty_dsn).exit_code == 0


def test_dry_setup(empty_dsn):
    """A dry run makes no table; other commands say what to do then."""
    result = invoked("setup", "--dsn", empty_dsn, "--dry-run")
    assert result.output.startswith("Dry run, nothing is written: ")
    refused = invoked("org", "list", "--dsn", empty_dsn)
    assert refused.exit_code == 1
    assert "create them with 'libres sync setup'" in refused.output


def test_setup_of_host(done):
    """The models of the host are registered by a function of theirs."""
    assert "changes of 8 models" in done("setup")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nowhere:register", "No module named 'nowhere'"),
        ("tests.cli.sync.running:nothing", "has no attribute 'nothing'"),
        ("tests.cli.sync.running:SECRET", "is no function"),
        ("", "is not MODULE:FUNCTION"),
    ],
)
def test_no_models(dsn, named, said):
    """What cannot be imported is said."""
    result = invoked("setup", "--dsn", dsn, "--models", named)
    assert result.exit_code == 2
    assert said in result.output


def test_models_that_fail(dsn):
    """What cannot be registered is said in a sentence."""
    named = "tests.cli.sync.running:register_nothing"
    result = invoked("setup", "--dsn", dsn, "--models", named)
    assert result.exit_code == 1
    assert "is not a mapped class" in result.output


def test_example(done, context):
    """The example is there; its passwords are printed, and let its users in."""
    listed = dict(words(done("example")))
    assert list(listed) == list(USERS)
    for username, password in listed.items():
        assert Users(context).authenticate(username, password)


@pytest.mark.usefixtures("house")
def test_example_twice(run):
    """The example is not set up again."""
    result = run("example")
    assert result.exit_code == 1
    assert "The organisation 'acme-corp' is there already." in result.output


# Organisations ------------------------------------------------------------------------


def test_organisations(done):
    """They are added, renamed, listed, and switched off and on."""
    assert done("org add", "acme", "Acme", "--reference", "17") == "Acme is added.\n"
    assert done("org rename", "acme", "Acme Ltd") == "acme is called Acme Ltd.\n"
    assert words(done("org list")) == [["acme", "Acme", "Ltd", "17", "yes"]]
    assert done("org deactivate", "acme") == "Acme Ltd is not active any more.\n"
    assert words(done("org list")) == [["acme", "Acme", "Ltd", "17"]]
    assert done("org activate", "acme") == "Acme Ltd is active.\n"
    assert words(done("org list"))[0][-1] == "yes"


# Roles --------------------------------------------------------------------------------


def test_roles(done):
    """Those of all come before those of an organisation."""
    done("org add", "acme", "Acme")
    done("org add", "retail", "Retail")
    done("role add", "sales", "Sales")
    done("role add", "clerks", "Clerks", "--org", "acme")
    assert words(done("role list")) == [
        ["sales", "Sales"],
        ["clerks", "Clerks", "acme"],
    ]
    assert words(done("role list", "--org", "retail")) == [["sales", "Sales"]]


# Users --------------------------------------------------------------------------------


def test_user_is_asked(done, context):
    """The password is asked for twice, and not shown."""
    said = done("user add", "ada", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert said.endswith("ada is added.\n")
    assert PASSWORD not in said
    assert Users(context).authenticate("ada", PASSWORD)


def test_user_of_stdin(done, context):
    """A script passes the password by the standard input."""
    options = ["--email", "ada@example.org", "--staff", "--password-stdin"]
    done("user add", "ada", *options, input=f"{PASSWORD}\n")
    assert words(done("user list")) == [["ada", "ada@example.org", "yes", "yes"]]
    done("user password", "ada", "--password-stdin", input="another horse\n")
    assert Users(context).authenticate("ada", "another horse")
    assert Users(context).authenticate("ada", PASSWORD) is None


def test_user_without_password(done, context):
    """Who has none cannot sign in by one."""
    done("user add", "kiosk", "--no-password")
    assert Users(context).authenticate("kiosk", "") is None


@pytest.mark.usefixtures("house")
def test_members(done):
    """A user joins an organisation, gets another role, and leaves."""
    assert done("user join", "john_manager", "global-retail", "sales") == (
        "john_manager belongs to Global Retail: Sales.\n"
    )
    assert "acme-corp (managers), global-retail (sales)" in done("user list")
    done("user role", "john_manager", "global-retail", "analysts")
    assert "global-retail (analysts)" in done("user list")
    done("user leave", "john_manager", "global-retail")
    assert "global-retail (analysts)" not in done("user list")


@pytest.mark.usefixtures("house")
def test_inactive_user(done, context):
    """Who is switched off cannot sign in, until they are on again."""
    done("user deactivate", "john_manager")
    assert Users(context).authenticate("john_manager", PASSWORD) is None
    context.get_service("session_provider").session().rollback()
    done("user activate", "john_manager")
    assert Users(context).authenticate("john_manager", PASSWORD)


def test_sign_out(house, done, context):
    """The version of the tokens grows."""
    before = Users(context).named("john_manager").version
    house.commit()
    done("user sign-out", "john_manager")
    assert Users(context).named("john_manager").version == before + 1


# What goes wrong ----------------------------------------------------------------------

WRONG = [
    ("org add", ["Acme", "Acme"], "consists of 1 to 63 letters"),
    ("org add", ["acme-corp", "Other"], "'acme-corp' is there already"),
    ("org add", ["acme", " "], "must not begin or end with a blank|must not be empty"),
    ("org add", ["\udcff", "x"], "encoding of this terminal"),
    ("org rename", ["nobody", "x"], "There is no organisation 'nobody' here"),
    ("org rename", ["acme-corp", "a\x1b[31m"], "printable"),
    ("org activate", ["nobody"], "There is no organisation 'nobody'"),
    ("org deactivate", ["nobody"], "There is no organisation 'nobody'"),
    ("role add", ["sales", "Sales"], "The role 'sales' is there already"),
    ("role add", ["x", "X", "--org", "nobody"], "no organisation 'nobody'"),
    ("role list", ["--org", "nobody"], "no organisation 'nobody'"),
    (
        "user add",
        ["john_manager", "--no-password"],
        "The user 'john_manager' is there already",
    ),
    ("user add", ["a:b", "--no-password"], "has no colon"),
    ("user add", ["ada", "--no-password", "--email", "x"], "no e-mail address"),
    ("user add", ["ada", "--password-stdin"], "holds no password"),
    ("user password", ["nobody", "--password-stdin"], "There is no user 'nobody'"),
    ("user password", ["john_manager", "--password-stdin"], "holds no password"),
    ("user activate", ["nobody"], "There is no user 'nobody'"),
    ("user deactivate", ["\x1b[31m"], "There is no user"),
    (
        "user join",
        ["john_manager", "acme-corp", "sales"],
        "The membership of 'john_manager'",
    ),
    ("user join", ["john_manager", "acme-corp", "x"], "There is no role 'x'"),
    ("user leave", ["mary_sales", "acme-corp"], "There is no membership of"),
    ("user role", ["mary_sales", "acme-corp", "sales"], "There is no membership of"),
    ("user sign-out", ["nobody"], "There is no user 'nobody'"),
]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("command", "arguments", "said"), WRONG)
def test_refused(refuses, command, arguments, said):
    """What cannot be done is said in a sentence, and nothing of it is stored."""
    refuses(command, arguments, said)


@pytest.mark.usefixtures("house")
def test_short_password(refuses):
    """A password that is too short is none."""
    arguments = ["ada", "--password-stdin"]
    refuses("user add", arguments, "10", input="short\n")


DRY = [
    ("org add", ["acme", "Acme"]),
    ("org rename", ["acme-corp", "Acme"]),
    ("org deactivate", ["acme-corp"]),
    ("org activate", ["acme-corp"]),
    ("role add", ["clerks", "Clerks"]),
    ("user add", ["ada", "--no-password"]),
    ("user password", ["john_manager", "--password-stdin"]),
    ("user activate", ["john_manager"]),
    ("user deactivate", ["john_manager"]),
    ("user join", ["john_manager", "global-retail", "sales"]),
    ("user leave", ["john_manager", "acme-corp"]),
    ("user role", ["john_manager", "acme-corp", "sales"]),
    ("user sign-out", ["john_manager"]),
]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("command", "arguments"), DRY)
def test_dry_run(done, content, command, arguments):
    """A dry run says what would be done, and stores nothing."""
    before = content()
    said = done(f"{command} --dry-run", *arguments, input="a new password\n")
    assert said.startswith("Dry run, nothing is written: ")
    assert content() == before
    done(command, *arguments, input="a new password\n")
    if command != "org activate":
        assert content() != before


def test_dry_example(done, content):
    """A dry run of the example tells no password."""
    before = content()
    said = done("example --dry-run")
    assert said == (
        "Dry run, nothing is written: 3 organisations and 3 users are added.\n"
    )
    assert content() == before


@pytest.mark.parametrize("command", ["org list", "user list", "feed lag", "doctor"])
def test_no_database(command):
    """Without a server it is a sentence, and the status 2."""
    result = invoked(*command.split(), "--dsn", "postgresql://127.0.0.1:1/x")
    assert result.exit_code == 2
    assert "refused" in result.output


def test_hostile_names(house, done):
    """What somebody has stored from elsewhere does not steer the terminal."""
    assert isinstance(house, Sync)
    house.session.connection().exec_driver_sql(
        "UPDATE sync_organizations SET name = E'\\x1b[31mAcme'"
    )
    house.commit()
    assert "\x1b" not in done("org list")

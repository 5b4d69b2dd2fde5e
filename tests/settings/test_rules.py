"""Every rule of the file: what is refused, under which key, with which words."""

from __future__ import annotations

import base64

import pytest

from bridge import events
from bridge.settings import kinds
from tests.settings.conftest import Load, Problems

WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
SECRET = 'secrets = ["env:S"]'
ERP = '[destinations.erp]\nkind = "erp"\nurl = "https://erp.example.com"\n'
HTTP = '[destinations.h]\nkind = "http"\nurl = "https://h.example.com"\nevents = ["interaction.updated"]\n'
LAKE = '[destinations.lake]\nkind = "datalake"\nbucket = "b"\n'
ITEM = '[schemas.Item.fields]\nsku = { type = "string" }\nprice = { type = "decimal" }\n'


def source(verify: str, more: str = "") -> str:
    return f'[sources.s]\nformat = "genesys"\nverify = {{ {verify} }}\n{more}'


@pytest.mark.parametrize(
    ("toml", "key", "rule"),
    [
        # unknown keys name the nearest known one
        ("[sorces.s]\n", "sorces", "did you mean sources?"),
        (ERP + "retry = { cp = 1 }", "destinations.erp.retry.cp", "did you mean cap?"),
        (ERP + "Timeout = 1", "destinations.erp.Timeout", "did you mean timeout?"),
        ("[health]\nzzzz = 1", "health.zzzz", "known here: metrics_from, stall_seconds"),
        ("server = 1", "server", "must be a table"),
        ("sources = 1", "sources", "must be a table of tables"),
        ("[sources]\ns = 1", "sources.s", "must be a table"),
        ("legal_holds = 1", "legal_holds", "must be a list of tables"),
        # sources
        ("[sources.s]\n", "sources.s.format", "is missing"),
        ("[sources.s]\n", "sources.s.verify", "is missing"),
        (source("secrets = []"), "sources.s.verify.scheme", "is missing"),
        (source('scheme = "hub-sha265"'), "sources.s.verify.scheme", "did you mean hub-sha256?"),
        (source('scheme = "hub-sha256"'), "sources.s.verify.secrets", "scheme hub-sha256 needs it"),
        (source('scheme = "hub-sha1"'), "sources.s.verify.secrets", "scheme hub-sha1 needs it"),
        (source('scheme = "bearer", secrets = []'), "sources.s.verify.secrets", "at least 1"),
        (source('scheme = "bearer", secrets = "env:S"'), "sources.s.verify.secrets", "must be a list"),
        (source('scheme = "bearer", secrets = [1]'), "sources.s.verify.secrets.0", "must be text"),
        (source(f'scheme = "hmac", {SECRET}'), "sources.s.verify.header", "scheme hmac needs it"),
        (source('scheme = "hmac", header = "X"'), "sources.s.verify.secrets", "scheme hmac needs it"),
        (source(f'scheme = "api-key", {SECRET}'), "sources.s.verify.header", "scheme api-key needs it"),
        (source(f'scheme = "api-key", header = "X Y", {SECRET}'), "sources.s.verify.header", "HTTP header"),
        (source('scheme = "basic", user = "u"'), "sources.s.verify.password", "scheme basic needs it"),
        (source('scheme = "basic", password = "env:S"'), "sources.s.verify.user", "scheme basic needs it"),
        (source('scheme = "basic", user = "a:b", password = "env:S"'), "sources.s.verify.user", "without a colon"),
        (source(f'scheme = "standard-webhooks", {SECRET}'), "sources.s.verify.secrets.0", "whsec_ followed by base64"),
        (source('scheme = "none"'), "sources.s.verify.scheme", "allow_unverified = true"),
        (source('scheme = "none"', "allow_unverified = 1"), "sources.s.allow_unverified", "true or false"),
        (source(f'scheme = "bearer", {SECRET}', "success_status = 201"), "sources.s.success_status", "200 or 202"),
        (source(f'scheme = "bearer", {SECRET}', 'allow_from = ["10.0.0.1/8"]'), "sources.s.allow_from.0", "network"),
        (source(f'scheme = "bearer", {SECRET}', "rate = 0"), "sources.s.rate", "more than 0"),
        (source(f'scheme = "bearer", {SECRET}').replace("genesys", "genesis"), "sources.s.format", "mean genesys?"),
        (source(f'scheme = "bearer", {SECRET}').replace(".s]", ".Genesys]"), "sources.Genesys", "1 to 64"),
        (source(f'scheme = "bearer", {SECRET}').replace(".s]", f".{'x' * 65}]"), f"sources.{'x' * 65}", "1 to 64"),
        # destinations
        ("[destinations.d]\n", "destinations.d.kind", "is missing"),
        ('[destinations.d]\nkind = "epr"', "destinations.d.kind", "did you mean erp?"),
        ('[destinations.d]\nkind = "crm"', "destinations.d.url", "kind crm needs to know where to send"),
        ('[destinations.d]\nkind = "governance"', "destinations.d.url", "is missing"),
        (ERP.replace("https://erp.example.com", "ftp://erp"), "destinations.erp.url", "http:// or https://"),
        (ERP.replace("https://erp.example.com", "https://"), "destinations.erp.url", "http:// or https://"),
        (ERP.replace("https://erp.example.com", "https://e:99999"), "destinations.erp.url", "http:// or https://"),
        (ERP.replace("https://erp.example.com", "https://e e"), "destinations.erp.url", "http:// or https://"),
        (ERP.replace("https://erp.", "https://u:p@erp."), "destinations.erp.url", "user or password"),
        (ERP.replace("erp]", "ERP]"), "destinations.ERP", "1 to 64"),
        (HTTP.replace('events = ["interaction.updated"]', ""), "destinations.h.events", "kind http has no events"),
        (HTTP.replace('"interaction.updated"', '"anything goes"'), "destinations.h.events.0", "event type"),
        (HTTP.replace('"interaction.updated"', ""), "destinations.h.events", "at least 1"),
        (ERP + 'events = ["interaction.updated"]', "destinations.erp.events.0", "kind erp has a request for"),
        (ERP + 'auth = { type = "bearer" }', "destinations.erp.auth.token", "type bearer needs it"),
        (ERP + 'auth = { type = "basic", user = "u" }', "destinations.erp.auth.password", "type basic needs it"),
        (ERP + 'auth = { type = "api-key" }', "destinations.erp.auth.token", "type api-key needs it"),
        (ERP + 'auth = { token = "env:S" }', "destinations.erp.auth.token", "type is none"),
        (ERP + 'auth = { type = "bearer", token = "env:LINES" }', "destinations.erp.auth.token", "control characters"),
        (
            ERP + 'auth = { type = "oauth2-client-credentials", client_id = "i", client_secret = "env:S" }',
            "destinations.erp.auth.token_url",
            "needs it",
        ),
        (
            ERP + 'auth = { type = "oauth2-client-credentials", client_id = "i", client_secret = "env:S", '
            'token_url = "http://login.example.com" }',
            "destinations.erp.auth.token_url",
            "plain http://",
        ),
        (ERP + 'client_cert = "none.pem"', "destinations.erp.client_cert", "not there"),
        (ERP + 'signing_secrets = ["env:S"]', "destinations.erp.signing_secrets.0", "whsec_ followed by base64"),
        (ERP + 'signing_secrets = ["env:EMPTY_KEY"]', "destinations.erp.signing_secrets.0", "whsec_ followed by"),
        (ERP + 'signing_secrets = ["env:NO_KEY"]', "destinations.erp.signing_secrets.0", "whsec_ followed by"),
        (ERP + 'headers = { Authorization = "x" }', "destinations.erp.headers.Authorization", "auth"),
        (ERP + 'headers = { "X-K" = "env:S" }', "destinations.erp.headers.X-K", "api-key"),
        (ERP + 'headers = { "X-K" = "a\\nb" }', "destinations.erp.headers.X-K", "printable ASCII"),
        (ERP + 'headers = { "X K" = "a" }', "destinations.erp.headers.'X K'", "HTTP header"),
        (ERP + 'transform = "a.["', "destinations.erp.transform", "is not a JMESPath expression (near character 4)"),
        (ERP + 'transform = "nofunction(@)["', "destinations.erp.transform", "is not a JMESPath expression"),
        (ERP + 'transform = " "', "destinations.erp.transform", "JMESPath"),
        (ERP + "timeout = 0", "destinations.erp.timeout", "more than 0"),
        (ERP + "timeout = 30", "destinations.erp.lease_seconds", "more than timeout"),
        (ERP + "lease_seconds = 5", "destinations.erp.lease_seconds", "more than timeout"),
        (ERP + "retry = { cap = 0.5 }", "destinations.erp.retry.cap", "not be less than base"),
        (ERP + 'retry = { base = "2h" }', "destinations.erp.retry.cap", "not be less than base"),
        (ERP + "retry = { max_attempts = -1 }", "destinations.erp.retry.max_attempts", "0 or more"),
        (ERP + "retry_on = [200]", "destinations.erp.retry_on.0", "from 300 to 599"),
        (ERP + "retry_on = [422]\nreject_on = [422]", "destinations.erp.reject_on", "retry_on names too"),
        (ERP + "max_in_flight = true", "destinations.erp.max_in_flight", "whole number"),
        (ERP + 'order = "subject"', "destinations.erp.order", "must be one of record, none"),
        (ERP + 'proxy = "http://u:p@proxy"', "destinations.erp.proxy", "user or password"),
        (ERP + 'proxy = "env:S"', "destinations.erp.proxy", "http:// or https://"),
        (ERP + 'bucket = "b"', "destinations.erp.bucket", "kind datalake only"),
        ('[destinations.lake]\nkind = "datalake"', "destinations.lake.bucket", "kind datalake writes into it"),
        (LAKE + 'url = "https://s3.example.com"', "destinations.lake.url", "endpoint_url"),
        (LAKE + 'region = "eu-west-1"', "destinations.lake.region", "sink = \"s3\" only"),
        (LAKE + 'sink = "s3"\naccess_key = "env:S"', "destinations.lake.secret_key", "go together"),
        (
            LAKE + 'sink = "s3"\naccess_key = "env:S"\nsecret_key = "env:S"\nendpoint_url = "http://s3.example.com"',
            "destinations.lake.endpoint_url",
            "plain http://",
        ),
        # genesys
        ('[genesys]\napi = "v2"', "genesys.api", "must be one of interaction, platform"),
        ('[genesys]\nregion = "us-east-1"', "genesys.region", "must be one of mypurecloud.com"),
        ('[genesys]\nclient_id = "i"\nregion = "mypurecloud.de"', "genesys.client_secret", "go together"),
        ('[genesys]\nclient_secret = "env:S"', "genesys.client_id", "go together"),
        ('[genesys]\nclient_id = "i"\nclient_secret = "env:S"', "genesys.region", "api_url"),
        ('[genesys.crm]\nenrich = "required"', "genesys.crm.url", "where the CRM is"),
        (
            '[genesys.crm]\nurl = "http://crm.example.com"\nauth = { type = "bearer", token = "env:S" }',
            "genesys.crm.url",
            "plain http://",
        ),
        ("[genesys.merge]\nweights = { voice = 1.5 }", "genesys.merge.weights.voice", "whole number"),
        ('[[genesys.purge.rules]]\nclassification = "hippa"', "genesys.purge.rules.0.classification", "hipaa?"),
        ('[[genesys.purge.rules]]\nclassification = "pii"', "genesys.purge.rules.0", "demands nothing"),
        # record schemas
        ('[schemas.Item.fields]\na = { type = "text" }', "schemas.Item.fields.a.type", "must be one of string"),
        ("[schemas.Item]\n", "schemas.Item.fields", "is missing"),
        (ITEM.replace('"string"', '"string", pattern = "["'), "schemas.Item.fields.sku.pattern", "regular expression"),
        (ITEM.replace('"string"', '"string", min = 1'), "schemas.Item.fields.sku.min", "integer or decimal"),
        (ITEM.replace('"decimal"', '"decimal", max_length = 1'), "schemas.Item.fields.price.max_length", "string"),
        (ITEM.replace('"decimal"', '"decimal", min = 2, max = 1.5'), "schemas.Item.fields.price.max", "less"),
        (ITEM.replace('"decimal"', '"decimal", min = 2, min_exclusive = 1'), "schemas.Item.fields.price.min", "keep"),
        (ITEM.replace('"string"', '"string", enum = ["a", 1]'), "schemas.Item.fields.sku.enum.1", "type, string"),
        (ITEM.replace('"string"', '"integer", enum = [true]'), "schemas.Item.fields.sku.enum.0", "type, integer"),
        (ITEM + "[[schemas.Item.rules]]\n", "schemas.Item.rules.0", "exactly one of"),
        (ITEM + '[[schemas.Item.rules]]\nforbid = { skv = "a" }', "schemas.Item.rules.0.forbid.skv", "mean sku?"),
        (ITEM + '[[schemas.Item.rules]]\nrequire = ["prise"]', "schemas.Item.rules.0.require.0", "mean price?"),
        (
            ITEM + '[[schemas.Item.rules]]\nmax_product = { fields = ["sku"], limit = 1 }',
            "schemas.Item.rules.0.max_product.fields.0",
            "is no number",
        ),
        # the rest
        ("[server]\nmax_body_bytes = 1.5", "server.max_body_bytes", "whole number of 1 or more"),
        ('[server]\ntrusted_proxies = ["proxy"]', "server.trusted_proxies.0", "IP address"),
        ('[privacy]\npersonal = ["a..b"]', "privacy.personal.0", "field path"),
        ('[privacy]\npersonal = ["$.a[0]"]', "privacy.personal.0", "field path"),
        ("[retention]\ndead_days = -1", "retention.dead_days", "from 0"),
        ("[[legal_holds]]\n", "legal_holds.0", "exactly one of"),
        ('[[legal_holds]]\nsubject = "c:1"\ncustomer = "x"', "legal_holds.0", "exactly one of"),
        ('[[legal_holds]]\ntype = "voice"\nfrom = 2020-01-01', "legal_holds.0.to", "type needs a range"),
        ('[[legal_holds]]\ncustomer = "x"\nto = 2020-01-01', "legal_holds.0.to", "goes with type only"),
        ('[[legal_holds]]\ntype = "voice"\nfrom = 2020-01-02\nto = 2020-01-01', "legal_holds.0.to", "before from"),
        ('[[legal_holds]]\ntype = "voice"\nfrom = 2020-01-02T00:00:00\nto = 2021-01-01', "legal_holds.0.from", "zone"),
        (ERP + '[alerts]\ndestination = "epr"', "alerts.destination", "did you mean erp?"),
        (ERP + '[alerts]\ndestination = "erp"', "alerts.destination", "not of kind http"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_key_and_its_rule(problems: Problems, toml: str, key: str, rule: str) -> None:
    found = problems(toml, S="s3cret", LINES="a\nb", EMPTY_KEY="whsec_", NO_KEY="whsec_YWJj!ZGVm")
    (problem,) = [line for line in found if line.startswith(f"{key}: ")]
    assert rule in problem
    assert "s3cret" not in problem


def test_all_problems_come_at_once(problems: Problems) -> None:
    found = problems(
        '[server]\nmax_body_bytes = 0\n[sources.S]\nformat = "x"\n'
        + ERP
        + 'timeout = "1h"\nretry = { cap = -1, cp = 2 }\nkind2 = "erp"\n[alerts]\ndestination = "nobody"\n',
        PORT="x",
        BRIDGE_SECRET_KEY="",
    )
    assert [line.split(": ")[0] for line in found] == [
        "PORT",
        "server.max_body_bytes",
        "sources.S.format",
        "sources.S.verify",
        "sources.S",
        "destinations.erp.retry.cap",
        "destinations.erp.retry.cp",
        "destinations.erp.kind2",
        "destinations.erp.lease_seconds",
        "alerts.destination",
        "BRIDGE_SECRET_KEY",
    ]


@pytest.mark.parametrize("toml", ["[sources", "a = ", 'a = "\\x"', "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_named_with_the_place(problems: Problems, toml: str) -> None:
    (problem,) = problems(toml)
    assert problem.startswith("bridge.toml: is not valid TOML: ")


def test_an_unverified_source_checks_when_it_is_meant_but_is_warned_of(load: Load) -> None:
    (warning,) = load(source('scheme = "none"', "allow_unverified = true")).warnings
    assert warning.startswith("sources.s: accepts requests from anybody")


def test_every_scheme_checks_with_what_it_needs(load: Load) -> None:
    for verify in (
        f'scheme = "hub-sha256", {SECRET}, encoding = "hex"',
        f'scheme = "hub-sha1", {SECRET}',
        'scheme = "standard-webhooks", secrets = ["env:W", "env:W"], tolerance = "1m"',
        f'scheme = "hmac", {SECRET}, header = "X-Signature", prefix = "", algorithm = "sha512", encoding = "base64", '
        'timestamp_header = "X-Timestamp", joiner = ""',
        f'scheme = "api-key", {SECRET}, header = "X-Api-Key"',
        'scheme = "basic", user = "u", password = "env:S"',
        f'scheme = "bearer", {SECRET}',
    ):
        assert load(source(verify), S="s", W=WHSEC).sources["s"].verify


@pytest.mark.parametrize("credentials", ['auth = { type = "bearer", token = "env:S" }', 'client_cert = "bridge.toml"'])
def test_credentials_over_plain_http_are_refused_unless_the_receiver_is_local(
    load: Load, problems: Problems, credentials: str
) -> None:
    plain = ERP.replace("https", "http") + credentials + "\n"
    (problem,) = problems(plain, S="s")
    assert problem.startswith("destinations.erp.url: is plain http://")
    assert load(plain + "allow_local = true", S="s").destinations["erp"].allow_local
    assert load(ERP.replace("https", "http")).destinations["erp"].url == "http://erp.example.com"


def test_the_client_secret_over_plain_http_is_warned_of_unless_it_stays_on_this_machine(load: Load) -> None:
    environ = {"GENESYS_CLIENT_ID": "i", "GENESYS_CLIENT_SECRET": "s"}
    assert load(**environ, GENESYS_API_URL="http://127.0.0.1:9000").warnings == ()
    (warning,) = load(**environ, GENESYS_API_URL="http://genesys.example.com").warnings
    assert warning.startswith("genesys.api_url: is plain http://")


def test_all_eighteen_regions_are_known(load: Load) -> None:
    assert len(set(kinds.REGIONS)) == 18
    for region in kinds.REGIONS:
        assert load(f'[genesys]\nregion = "{region}"').genesys.region == region


def test_the_kinds_take_the_events_that_the_bridge_knows() -> None:
    records = (events.RECORD_CREATED, events.RECORD_UPDATED, events.RECORD_DELETED)
    crm = (events.CONVERSATION_ATTRIBUTES_UPDATED, events.INTERACTION_UPDATED, events.INTERACTION_MERGED)
    purges = (events.PURGE_COMPLETED, events.PURGE_FAILED, events.PURGE_CANCELLED)
    for kind, types in {
        "erp": records,
        "crm": crm,
        "datalake": (*records, *crm, events.INTERACTION_PURGED),
        "governance": (*purges, "audit.sealed"),
        "genesys": events.COMMANDS,
        "http": (*records, *crm, *purges, "genesys.v2.users.{id}.presence"),
    }.items():
        assert all(kinds.has_request_for(kind, event_type) for event_type in types)
    assert not kinds.has_request_for("genesys", events.INTERACTION_UPDATED)


def test_a_full_file_loads_as_it_is_written(load: Load) -> None:
    settings = load(
        ERP
        + 'headers = { "X-Tenant" = "7" }\nsigning_secrets = ["env:W"]\ntransform = "fields"\nretry_on = [422]\n'
        + 'proxy = "env:PROXY"\n'
        + HTTP
        + LAKE
        + 'sink = "s3"\nendpoint_url = "https://s3.example.com"\naccess_key = "env:S"\nsecret_key = "env:S"\n'
        + '[[legal_holds]]\ntype = "voice"\nfrom = 2020-01-01\nto = "2021-01-01T00:00:00+02:00"\nreason = "r"\n'
        + '[[legal_holds]]\nsubject = "conversation:c1"\n'
        + '[alerts]\ndestination = "h"\nevery = "1h"\n'
        + '[privacy]\npersonal = ["fields.contact*"]\n',
        S="s",
        W=WHSEC,
        PROXY="http://u:p@proxy.example.com:3128",
    )
    erp = settings.destinations["erp"]
    assert dict(erp.headers) == {"X-Tenant": "7"}
    assert (erp.retry_on, erp.transform, erp.proxy) == ((422,), "fields", "http://u:p@proxy.example.com:3128")
    assert settings.destinations["h"].events == ("interaction.updated",)
    assert settings.destinations["lake"].sink == "s3"
    assert [hold.subject for hold in settings.legal_holds] == [None, "conversation:c1"]
    assert str(settings.legal_holds[0].to) == "2020-12-31 22:00:00+00:00"
    assert settings.alerts.destination == "h"
    assert settings.personal == ("fields.contact*",)

"""The messages of pleach, from their proto files and READMEs: bytes to meaning, or a Fault."""

import re

from basics import (
    Fault, KEY_PREFIX, cbor_decode, cbor_encode, cid_of, cid_of_hash, is_cid, key_of, message, need, peer_of, sha256, varint, verifies, which,
)

EXACT = 2**53 - 1

# wire

NETWORK = "[a-z][a-z0-9-]{0,31}"
ENVELOPE = {1: ("key", "bytes"), 2: ("type", "bytes"), 3: ("payload", "bytes"), 5: ("signature", "bytes")}
FACT = {1: ("name", "string")}
REFUSAL = {1: ("code", "string"), 2: ("facts", ["bytes"])}


def part(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data if data else b""


def open_envelope(network, name, version, data):
    """(who signed, payload)."""
    envelope = message(ENVELOPE, data)
    spelled = b"".join(part(number, envelope[field]) for number, (field, _) in sorted(ENVELOPE.items()))
    need(spelled == data, "not the one form of an envelope", "FRAME_MALFORMED")
    domain = f"pleach/{name}/{version}@{network}".encode()
    kind = b"/" + domain
    if envelope["type"] != kind:
        other = re.fullmatch(f"/pleach/{name}/{version}@({NETWORK})".encode(), envelope["type"])
        need(other is None, f"of the network {other and other[1].decode()}, not of {network}", "NETWORK_FOREIGN")
        raise Fault("DOMAIN_UNEXPECTED", "another type of statement")
    key = envelope["key"]
    need(len(key) == 36 and key[:4] == KEY_PREFIX, "not an Ed25519 key")
    signed = b"".join(varint(len(text)) + text for text in (domain, kind, envelope["payload"]))
    need(verifies(key[4:], signed, envelope["signature"]), "the signature does not fit", "SIGNATURE_INVALID")
    return peer_of(key[4:]), envelope


TARIFF = {
    1: ("cpu_hour_micro", "uint64"), 2: ("giga_gas_micro", "uint64"), 3: ("memory_gib_hour_micro", "uint64"), 4: ("gpu_hour_micro", "uint64"),
    5: ("in_gib_micro", "uint64"), 6: ("out_gib_micro", "uint64"), 7: ("store_gib_hour_micro", "uint64"),
}


def flatten_tariff(made):
    """The prices among what they belong to."""
    need(made["tariff"] is not None, "no tariff")
    integers(made["tariff"], *made["tariff"])
    made.update(made.pop("tariff"))


def integers(made, *names, most=EXACT):
    for name in names:
        need(0 <= made[name] <= most, f"{name} is out of range")


def text(value, most=64):
    need(len(value) <= most and not re.search("[\x00-\x1f\x7f]", value), "not plain text, or too long")
    return value


def digest(value):
    need(len(value) == 32, "not a SHA-256 hash")
    return value


def cid(value):
    need(is_cid(value), "not the CID of a document")
    return value


def refusal(made):
    need(made is not None and re.fullmatch("[A-Z][A-Z0-9_]{1,47}", made["code"]), "a refusal needs a code")
    need(len(made["facts"]) <= 16, "too many facts")
    facts = {}
    for raw in made["facts"]:
        name = text(message(FACT, raw)["name"], 200)
        value = message({2: ("value", "string")}, raw)["value"]
        number = message({3: ("value", "sint64")}, raw)["value"]
        flag = message({4: ("value", "bool")}, raw)["value"]
        facts[name] = text(value, 200) if value else flag or number
    return {"code": made["code"], "facts": facts}


def camel(made):
    """cpu_milli -> cpuMilli, and everything inside."""
    if isinstance(made, dict):
        return {re.sub("_(.)", lambda found: found[1].upper(), name): camel(value) for name, value in made.items()}
    return [camel(one) for one in made] if isinstance(made, list) else made


# capability and bid

ATTESTED = {2: ("evidence", "enum"), 3: ("at_ms", "uint64"), 4: ("by", ["bytes"])}
QUANTITY = {1: ("value", "uint64"), **ATTESTED}
GPU = {1: ("vendor", "string"), 2: ("model", "string"), 3: ("memory_bytes", QUANTITY), 4: ("count", "uint32"), 5: ("driver", "string")}
CAPABILITY = {
    1: ("sequence", "uint64"), 2: ("issued_ms", "uint64"), 3: ("expires_ms", "uint64"), 4: ("withdrawn", "bool"), 5: ("software", "string"),
    6: ("compute", {1: ("arch", "string"), 2: ("cpu_milli", QUANTITY), 3: ("memory_bytes", QUANTITY), 4: ("wall_ms_max", "uint64"),
                    5: ("model", "string"), 6: ("features", ["string"]), 7: ("disk_bytes", QUANTITY), 8: ("egress", "bool")}),
    7: ("storage", {1: ("keep_bytes", QUANTITY), 2: ("term_ms_max", "uint64")}),
    8: ("runtimes", [{1: ("name", "string"), 2: ("version", "string"), 3: ("isolation", "string")}]),
    9: ("price", {1: ("unit", "string"), 2: ("tariff", TARIFF), 3: ("gb_month_micro", "uint64"),
                  6: ("measured_percent", "uint32"), 7: ("challenged_percent", "uint32")}),
    10: ("gpus", [GPU]),
    11: ("network", {1: ("up_bytes_per_second", QUANTITY), 2: ("down_bytes_per_second", QUANTITY), 3: ("reachability", "enum"),
                     4: ("region", "string"), 5: ("trips", [{1: ("peer", "bytes"), 2: ("ms", "uint32")}])}),
    12: ("tee", {1: ("kind", "string"), **ATTESTED}),
    13: ("hours", [{1: ("from_minute", "uint32"), 2: ("to_minute", "uint32")}]),
    15: ("operator", "string"),
    14: ("free", {1: ("cpu_eighths", "uint32"), 2: ("memory_eighths", "uint32"), 3: ("keep_eighths", "uint32")}),
}
EVIDENCE = ["claimed", "measured", "challenged"]
REACHABILITY = ["unknown", "private", "relayed", "public"]


def public_key(data):
    need(len(data) == 32, "not a public key")
    return peer_of(data)


def attested(made):
    made["evidence"] = EVIDENCE[made["evidence"]] if made["evidence"] < 3 else "claimed"
    need(len(made["by"]) <= 4, "too many challengers")
    integers(made, "at_ms")
    made["by"] = [public_key(key) for key in made["by"]]
    # What was not said is not there.
    for name in ("at_ms", "by"):
        if not made[name]:
            del made[name]


def quantity(made):
    need(made is not None, "a quantity is missing")
    integers(made, "value")
    attested(made)


def capability(network, data, context):
    need(len(data) <= 4096, "too long", "FRAME_TOO_LARGE")
    by, envelope = open_envelope(network, "capability", 1, data)
    made = message(CAPABILITY, envelope["payload"])
    need(len(made["runtimes"]) <= 32 and len(made["gpus"]) <= 8 and len(made["hours"]) <= 16, "too many of something")
    integers(made, "sequence", "issued_ms", "expires_ms")
    text(made["software"])
    text(made["operator"])
    for one in made["runtimes"]:
        for word in one.values():
            text(word)
    compute = made["compute"]
    if compute is not None:
        text(compute["arch"])
        text(compute["model"])
        need(len(compute["features"]) <= 32, "too many features")
        for word in compute["features"]:
            text(word, 24)
        for name in ("cpu_milli", "memory_bytes", "disk_bytes"):
            quantity(compute[name])
        integers(compute, "wall_ms_max")
    if made["storage"] is not None:
        quantity(made["storage"]["keep_bytes"])
        integers(made["storage"], "term_ms_max")
    price = made["price"]
    if price is not None:
        text(price["unit"])
        flatten_tariff(price)
        integers(price, "gb_month_micro")
        integers(price, "measured_percent", "challenged_percent", most=10_000)
    for gpu in made["gpus"]:
        for name in ("vendor", "model", "driver"):
            text(gpu[name])
        quantity(gpu["memory_bytes"])
        integers(gpu, "count", most=1_024)
    where = made["network"]
    if where is not None:
        quantity(where["up_bytes_per_second"])
        quantity(where["down_bytes_per_second"])
        where["reachability"] = REACHABILITY[where["reachability"]] if where["reachability"] < 4 else "unknown"
        text(where["region"], 24)
        need(len(where["trips"]) <= 8, "too many trips")
        for trip in where["trips"]:
            trip["peer"] = public_key(trip["peer"])
            integers(trip, "ms", most=60_000)
    if made["tee"] is not None:
        text(made["tee"]["kind"], 24)
        attested(made["tee"])
    for hours in made["hours"]:
        integers(hours, "from_minute", "to_minute", most=7 * 24 * 60 - 1)
    if made["free"] is not None:
        integers(made["free"], "cpu_eighths", "memory_eighths", "keep_eighths", most=8)
    now, issued, expires = context["nowMs"], made["issued_ms"], made["expires_ms"]
    need(issued <= now + 30_000 and now < expires and 0 < expires - issued <= 3_600_000, "dates")
    return {"by": by, "body": camel(made)}


REQUIREMENTS = {
    1: ("runtime", "string"), 2: ("cpu_milli", "uint64"), 3: ("memory_bytes", "uint64"), 4: ("disk_bytes", "uint64"), 5: ("wall_ms_max", "uint64"),
    6: ("arch", "string"), 7: ("features", ["string"]),
    8: ("gpus", {1: ("count", "uint32"), 2: ("memory_bytes", "uint64"), 3: ("vendor", "string"), 4: ("model", "string")}),
    9: ("regions", ["string"]), 10: ("isolation", "string"), 11: ("tee", "string"), 12: ("evidence", "uint32"), 13: ("egress", "bool"),
    14: ("gas_max", "uint64"), 15: ("in_bytes", "uint64"), 16: ("bond_micro_min", "uint64"),
}
BID = {
    1: ("job", "string"), 2: ("class", "string"), 3: ("issued_ms", "uint64"), 4: ("expires_ms", "uint64"), 5: ("requirements", REQUIREMENTS),
    6: ("unit", "string"), 7: ("ceiling_micro", "uint64"), 8: ("cpu_hour_micro_max", "uint64"),
    9: ("spread_ms", "uint32"), 10: ("enough", "bool"),
}


def requirements(wanted):
    for name, most in (("runtime", 64), ("arch", 64), ("isolation", 64), ("tee", 24)):
        text(wanted[name], most)
    integers(wanted, "cpu_milli", "memory_bytes", "disk_bytes", "wall_ms_max", "gas_max", "in_bytes", "bond_micro_min")
    for name in ("features", "regions"):
        need(len(wanted[name]) <= 16, "too many words")
        for word in wanted[name]:
            text(word, 24)
    gpus = wanted["gpus"]
    if gpus is not None:
        need(gpus["count"] > 0, "no GPU")
        integers(gpus, "count", most=1_024)
        integers(gpus, "memory_bytes")
        text(gpus["vendor"], 24)
        text(gpus["model"])
    need(wanted["evidence"] < 3, "no such evidence")
    wanted["evidence"] = EVIDENCE[wanted["evidence"]]
    need(wanted["cpu_milli"] > 0, "no processor")


def bid(network, data, _context):
    need(len(data) <= 1024, "too long", "FRAME_TOO_LARGE")
    by, envelope = open_envelope(network, "bid", 1, data)
    made = message(BID, envelope["payload"])
    wanted = made["requirements"]
    need(wanted is not None, "no requirements")
    cid(made["job"])
    text(made["class"], 32)
    text(made["unit"])
    integers(made, "issued_ms", "expires_ms", "ceiling_micro", "cpu_hour_micro_max")
    integers(made, "spread_ms", most=10_000)
    requirements(wanted)
    need(0 < made["expires_ms"] - made["issued_ms"] <= 600_000, "no lawful term")
    return {"by": by, "body": camel(made)}


# discover

WORK = {1: ("requirements", REQUIREMENTS), 2: ("unit", "string"), 3: ("cpu_hour_micro_max", "uint64")}
QUERY = {1: ("work", WORK), 2: ("keep", {1: ("keep_bytes", "uint64")}), 3: ("anybody", {}), 4: ("records_max", "uint32")}
DISCOVERY = {1: ("query", QUERY), 2: ("records", {1: ("envelopes", ["bytes"])}), 3: ("refused", REFUSAL)}


def discovery(_network, data, _context):
    say, value = which(DISCOVERY, data)
    need(say is not None, "nothing said")
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    if say == "records":
        need(len(value["envelopes"]) <= 64, "too many records")
        return {"say": say, "envelopes": value["envelopes"]}
    integers(value, "records_max", most=64)
    kinds = [kind for kind in ("work", "keep", "anybody") if value[kind] is not None]
    want = {"kind": kinds[-1] if kinds else "yourself"}
    if want["kind"] == "work":
        work = value["work"]
        need(work["requirements"] is not None, "no requirements")
        requirements(work["requirements"])
        text(work["unit"])
        integers(work, "cpu_hour_micro_max")
        want["ask"] = camel(work)
    elif want["kind"] == "keep":
        integers(value["keep"], "keep_bytes")
        want["keepBytes"] = value["keep"]["keep_bytes"]
    return {"say": say, "want": want, "recordsMax": value["records_max"]}


# inquire

QUOTE = {1: ("bid", "bytes"), 2: ("issued_ms", "uint64"), 3: ("heard", "enum"), 4: ("declined_then", REFUSAL), 5: ("would", {1: ("cpu_hour_micro", "uint64")}), 6: ("declined_now", REFUSAL)}
FORWARD = {
    1: ("open", {1: ("lease", "bytes"), 2: ("port", "uint32")}), 2: ("opened", {}), 3: ("refused", REFUSAL), 4: ("data", "bytes"), 5: ("end", {}),
}


def forward(_network, data, _context):
    say, value = which(FORWARD, data)
    need(say is not None, "nothing said")
    if say == "open":
        need(1 <= value["port"] <= 65_535, "no such port")
        return {"say": say, "lease": digest(value["lease"]).hex(), "port": value["port"]}
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    if say == "data":
        need(len(value) > 0, "data of nothing")
        return {"say": say, "bytes": value}
    return {"say": say}


INQUIRY = {1: ("question", {1: ("bid", "bytes")}), 2: ("quote", "bytes"), 3: ("refused", REFUSAL)}


def inquiry(network, data, _context):
    say, value = which(INQUIRY, data)
    need(say is not None, "nothing said")
    if say == "question":
        return {"say": say, "bid": {**bid(network, value["bid"], {}), "envelope": value["bid"]}}
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    by, envelope = open_envelope(network, "quote", 1, value)
    made = message(QUOTE, envelope["payload"])
    need((made["would"] is None) != (made["declined_now"] is None), "neither a price nor why not")
    digest(made["bid"])
    integers(made, "issued_ms")
    body = {"bid": made["bid"], "issuedMs": made["issued_ms"]}
    body["heard"] = None
    if made["heard"] == 1:
        body["heard"] = {"offered": True}
    elif made["heard"] == 2:
        body["heard"] = {"offered": False, "because": refusal(made["declined_then"])}
    if made["would"] is None:
        body["now"] = {"offers": False, "because": refusal(made["declined_now"])}
    else:
        integers(made["would"], "cpu_hour_micro")
        body["now"] = {"offers": True, "cpuHourMicro": made["would"]["cpu_hour_micro"]}
    return {"say": say, "quote": {"by": by, "body": body, "envelope": value}}


# negotiate


def uints(first, *names):
    return {first + index: (name, "uint64") for index, name in enumerate(names)}


OFFER = {1: ("job", "string"), 2: ("bid", "bytes"), 3: ("unit", "string"), 4: ("tariff", TARIFF), **uints(5, "cpu_milli", "memory_bytes", "issued_ms", "hold_until_ms", "disk_bytes"),
         10: ("gpus", "uint32"), 30: ("bond_micro", "uint64")}
AWARD = {
    1: ("job", "string"), 2: ("slot", "uint32"), 3: ("epoch", "uint32"), 4: ("provider", "string"), 5: ("offer", "bytes"), 6: ("unit", "string"),
    7: ("tariff", TARIFF), **uints(8, "cpu_milli", "memory_bytes", "disk_bytes", "wall_ms_max", "ceiling_micro", "payment_interval_ms",
            "payment_interval_ms_max", "reclaim_ms", "issued_ms", "accept_by_ms"),
    18: ("manifest", "bytes"), 19: ("gpus", "uint32"), 30: ("bond_micro", "uint64"),
}
ACCEPT = {1: ("lease", "bytes"), **uints(2, "issued_ms", "commit_by_ms")}
COMMIT = {1: ("lease", "bytes"), 2: ("accept", "bytes"), 3: ("issued_ms", "uint64")}
REFUSE = {1: ("job", "string"), 2: ("slot", "uint32"), 3: ("epoch", "uint32"), 4: ("refusal", REFUSAL)}
NEGOTIATION = {1: ("offer", "bytes"), 2: ("award", "bytes"), 3: ("accept", "bytes"), 4: ("commit", "bytes"), 5: ("refuse", REFUSE), 6: ("release", {1: ("job", "string"), 2: ("because", REFUSAL)})}


def check_numbers(schema, made):
    integers(made, *(name for name, kind in schema.values() if kind in ("uint64", "uint32")))


def offer_body(data):
    made = message(OFFER, data)
    check_numbers(OFFER, made)
    cid(made["job"]), digest(made["bid"]), text(made["unit"])
    need(0 < made["hold_until_ms"] - made["issued_ms"] <= 15_000, "the hold")
    flatten_tariff(made)
    return made


def award_body(data):
    made = message(AWARD, data)
    key_of(made["provider"])
    need(len(made["manifest"]) <= 256 * 1024, "the manifest", "FRAME_TOO_LARGE")
    need(cid_of(made["manifest"]) == made["job"], "the manifest is not the job's")
    check_numbers(AWARD, made)
    digest(made["offer"]), text(made["unit"])
    need(made["slot"] < 1024 and 0 < made["payment_interval_ms"] <= made["payment_interval_ms_max"], "slot or intervals")
    flatten_tariff(made)
    return made


def accept_body(data):
    made = message(ACCEPT, data)
    check_numbers(ACCEPT, made)
    digest(made["lease"])
    return made


def commit_body(data):
    made = message(COMMIT, data)
    check_numbers(COMMIT, made)
    digest(made["lease"]), digest(made["accept"])
    return made


BODIES = {"offer": offer_body, "award": award_body, "accept": accept_body, "commit": commit_body}


def signed(network, name, data):
    by, envelope = open_envelope(network, name, 1, data)
    return {"by": by, "body": camel(BODIES[name](envelope["payload"])), "envelope": data}


def negotiation(network, data, _context):
    say, value = which(NEGOTIATION, data)
    if say in BODIES:
        return {"say": say, say: signed(network, say, value)}
    need(say is not None, "nothing said")
    cid(value["job"])
    if say == "release":
        because = value["because"]
        return {"say": say, "job": value["job"], "because": {"code": "NOT_CHOSEN", "facts": {}} if because is None else refusal(because)}
    place = {name: value[name] for name in ("job", "slot", "epoch")}
    return {"say": say, "place": place, "refusal": refusal(value["refusal"])}


# evidence


def statement_of(network, name, data):
    """The signer and what was signed; None when it is no such statement."""
    try:
        by, envelope = open_envelope(network, name, 1, data)
    except Fault:
        return None
    return by, envelope["payload"]


def evidence(network, data, _context):
    return proven(network, message({1: ("first", "bytes"), 2: ("second", "bytes")}, data))


def proven(network, made):
    """Two statements of one signer that exclude each other."""
    need(made["first"] and made["second"], "evidence is of two statements")
    kinds = (("award", ("job", "slot", "epoch")), ("accept", ("lease",)), ("receipt", ("lease", "sequence")), ("countersignature", ("lease", "sequence")),
             ("storage-receipt", ("account", "sequence")), ("storage-countersignature", ("account", "sequence")))
    for name, place in kinds:
        first, second = (statement_of(network, name, made[one]) for one in ("first", "second"))
        if first is None or second is None or first[1] == second[1]:
            continue
        bodies = [BODIES[name](payload) for _, payload in (first, second)]
        if name == "storage-receipt":
            for (by, _), body in zip((first, second), bodies):
                storage_account(network, by, body)
        if first[0] == second[0] and all(bodies[0][field] == bodies[1][field] for field in place):
            return {**made, "proves": {"by": first[0], "of": name, "lease": bodies[0]["lease"].hex() if "lease" in bodies[0] else None}}
    need(False, "they do not exclude each other", "PROOF_INVALID")



# documents

HASH = "[0-9a-f]{64}"


def shaped(made, **wanted):
    need(isinstance(made, dict) and set(made) == set(wanted), "keys")
    for name, fits in wanted.items():
        need(fits(made[name]), name)
    return True


def whole(least=0, most=EXACT):
    return lambda value: type(value) is int and least <= value <= most


def string(most, pattern=None, least=0):
    return lambda value: type(value) is str and least <= len(value) <= most and (pattern is None or re.fullmatch(pattern, value) is not None)


def exactly(*values):
    return lambda value: value in values


def guest_path(value):
    return (
        type(value) is str and len(value) <= 512 and value.startswith("/in/") and not re.search(r"[\x00-\x1f\x7f\\]", value)
        and all(one not in ("", ".", "..") for one in value.split("/")[1:])
    )


def or_none(fits):
    return lambda value: value is None or fits(value)


def every(fits, most):
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(fits, value))


def argument(value):
    return type(value) is str and len(value) <= 65_536 and "\0" not in value


IMAGE_DIGEST = "sha256:[0-9a-f]{64}"


def service(value):
    return shaped(
        value, ports=lambda ports: every(whole(1, 65_535), 16)(ports) and len(ports) > 0,
        health=or_none(lambda one: shaped(
            one, port=whole(1, 65_535), path=or_none(string(512, r"/[\x21-\x7e]*")), intervalMs=whole(1_000, 3_600_000), failuresMax=whole(1, 1_000)
        )),
    )


def container(value):
    return shaped(
        value, image=or_none(string(400, "[a-z0-9][a-z0-9._:/-]{0,250}@" + IMAGE_DIGEST)), digest=or_none(string(71, IMAGE_DIGEST)),
        entrypoint=or_none(lambda words: every(argument, 64)(words) and len(words) > 0), egress=lambda one: type(one) is bool, gpus=whole(0, 64), service=or_none(service),
    )


CONTENT = {"bytes": whole(), "sha256": string(64, HASH), "object": or_none(is_cid)}


def job_manifest(_network, data, _context):
    made = cbor_decode(data)
    need(isinstance(made, dict), "not a map")
    shaped(
        made, apiVersion=exactly("pleach/v1"), kind=exactly("job"), name=string(64), engine=exactly("wasi-preview1", "oci"),
        module=or_none(lambda value: shaped(value, **CONTENT)), container=or_none(container), args=every(argument, 1024),
        env=lambda value: all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,127}", name) and argument(one) for name, one in value.items()),
        inputs=every(lambda value: shaped(value, **CONTENT, path=guest_path, kind=exactly("file", "tar")), 64),
        stdin=or_none(lambda value: shaped(value, **CONTENT)),
        resources=lambda value: shaped(
            value, cpuMilli=whole(1), memoryBytes=whole(65_536), diskBytes=whole(), wallMs=whole(1), logBytes=whole(), outputBytes=whole(),
            gas=or_none(whole(1)),
        ),
        deterministic=lambda value: isinstance(value, bool),
        code=lambda value: shaped(value, k=whole(1, 255), m=whole(0, 255)),
        price=lambda value: shaped(value, unit=string(64, None, 1), cpuHourMicroMax=whole(), ceilingMicro=whole()),
        nonce=string(64),
    )
    box = made["container"]
    need((made["engine"] == "oci") == (box is not None), "a container goes with the engine oci")
    need(box is None or (made["resources"]["gas"] is None and not made["deterministic"]), "a container is not counted, and not deterministic")
    need((made["module"] is None) == (box is not None and box["image"] is not None), "a module or an image in a registry")
    return {"cid": cid_of(data), "document": made}


def object_manifest(_network, data, _context):
    need(len(data) <= 16 * 1024, "over its cap", "FRAME_TOO_LARGE")
    made = cbor_decode(data)
    need(cbor_encode(made) == data, "not the one spelling", "FRAME_MALFORMED")
    shaped(
        made, v=exactly(1), kind=exactly("object"),
        code=lambda value: shaped(value, matrix=exactly("cauchy"), k=whole(1, 256), m=whole(0, 256)),
        cipher=exactly("aes-256-gcm"), bytes=whole(0, 2**44), shardBytes=whole(1), stripBytes=exactly(2**20), leafBytes=exactly(2**16),
        shards=every(lambda root: isinstance(root, bytes) and len(root) == 32, 256),
    )
    k, m = made["code"]["k"], made["code"]["m"]
    need(k + m <= 256 and len(made["shards"]) == k + m, "shards")
    full = k * 2**20 - 16
    segments = max(1, -(-made["bytes"] // full))
    tail = made["bytes"] - (segments - 1) * full
    need(made["shardBytes"] == (segments - 1) * 2**20 + -(-(tail + 16) // k), "shardBytes does not follow")
    return {"cid": cid_of(data), "document": made}


ENDS = (
    "exited", "trapped", "wall-limit", "memory-limit", "output-limit", "log-limit", "gas-limit", "cancelled", "module-invalid", "inputs-missing",
    "provider-failed",
)


def result(network, data, _context):
    need(len(data) <= 16 * 1024, "over its cap", "FRAME_TOO_LARGE")
    by, envelope = open_envelope(network, "result", 1, data)
    made = cbor_decode(envelope["payload"])
    log = lambda value: shaped(value, bytes=whole(), sha256=string(64, None, 64))
    shaped(
        made, v=exactly(1), kind=exactly("result"), job=is_cid, lease=string(64, None, 64), slot=whole(), epoch=whole(), reason=exactly(*ENDS),
        exitCode=or_none(whole(0, 2**32 - 1)), detail=string(1000), stdout=log, stderr=log, outputs=or_none(is_cid), outputBytes=whole(),
        outputFiles=whole(), outputsSha256=or_none(string(64, HASH)),
        image=or_none(lambda value: shaped(
            value, digest=string(71, IMAGE_DIGEST), archive=or_none(lambda one: shaped(one, sha256=string(64, HASH), object=or_none(is_cid)))
        )),
        usage=lambda value: shaped(value, wallMs=whole(), cpuMs=whole(), memoryBytesPeak=whole(), gas=whole(), inBytes=whole(), outBytes=whole()),
    )
    return {"by": by, "cid": cid_of(envelope["payload"]), "document": made}


# execute

GRANT = {
    1: ("guest_path", "string"), 2: ("kind", "string"), 3: ("manifest", "bytes"), 4: ("key", "bytes"),
    5: ("sources", [{1: ("shard", "uint32"), 2: ("peers", ["string"])}]), 6: ("inline", "bytes"),
}
HEALTH = {1: ("state", "enum"), 2: ("failures", "uint32"), 3: ("failures_max", "uint32")}
EXECUTION = {
    2: ("start", {1: ("module", GRANT), 2: ("inputs", [GRANT]), 3: ("output_key", "bytes"), 4: ("output_keepers", ["string"])}),
    3: ("started", {}), 4: ("follow", uints(1, "stdout_offset", "stderr_offset", "credit_bytes")),
    5: ("log", {1: ("channel", "enum"), 2: ("offset", "uint64"), 3: ("bytes", "bytes")}),
    6: ("progress", {1: ("stage", "enum"), **uints(2, "wall_ms", "cpu_ms", "memory_bytes", "gas"), 6: ("health", HEALTH)}), 7: ("cancel", {}),
    8: ("result", {1: ("statement", "bytes"), 2: ("outputs", GRANT)}), 9: ("result-seen", {}), 10: ("unknown", {}),
}
HEALTHS = ["starting", "healthy", "failing"]
STAGES = ["waiting", "staging", "running", "sealing", "ended"]


def grant(made, key_bytes):
    need(made is not None, "a grant is missing")
    need(made["kind"] in ("module", "file", "tar", "stdin"), "no such kind")
    need(len(made["sources"]) <= 256 and len(made["inline"]) <= 65_536, "a grant too long")
    is_inline = made["manifest"] == b""
    need(len(made["key"]) == (0 if is_inline else key_bytes), "the key of a grant")
    need(is_inline or made["inline"] == b"", "both inline and an object")
    need(guest_path(made["guest_path"]) if made["kind"] in ("file", "tar") else made["guest_path"] == "", "the path")
    for source in made["sources"]:
        need(source["shard"] < 256 and len(source["peers"]) <= 16, "a source")
        list(map(key_of, source["peers"]))


def execution(_network, data, _context):
    lease = digest(message({1: ("lease", "bytes")}, data)["lease"])
    say, value = which(EXECUTION, data)
    need(say is not None, "nothing said")
    head = {"lease": lease, "say": say}
    if say == "start":
        need(len(value["output_key"]) == 32 and len(value["inputs"]) <= 64 and len(value["output_keepers"]) <= 64, "START")
        list(map(key_of, value["output_keepers"]))
        for one in [value["module"], *value["inputs"]]:
            grant(one, 32)
        return {**head, "order": camel(value)}
    if say == "result":
        if value["outputs"] is not None:
            grant(value["outputs"], 0)
        return {**head, "result": camel(value)}
    if say == "progress":
        integers(value, "wall_ms", "cpu_ms", "memory_bytes", "gas")
        value["stage"] = STAGES[value["stage"]] if value["stage"] < 5 else "running"
        health = value["health"]
        if health is None:
            del value["health"]
        else:
            need(1 <= health["failures_max"] <= 1000 and health["failures"] <= health["failures_max"], "the health")
            health["state"] = HEALTHS[health["state"]] if health["state"] < 3 else "starting"
        return {**head, "progress": camel(value)}
    if say == "log":
        need(len(value["bytes"]) <= 32_768, "a chunk too long", "FRAME_TOO_LARGE")
        integers(value, "offset")
        value["channel"] = "stderr" if value["channel"] == 1 else "stdout"
    if say == "follow":
        integers(value, "stdout_offset", "stderr_offset")
        integers(value, "credit_bytes", most=262_144)
    return {**head, **camel(value)}


# transfer

TRANSFER = {
    1: ("get", {1: ("root", "bytes")}), 2: ("have", {1: ("shard_bytes", "uint64")}),
    3: ("put", {1: ("root", "bytes"), 2: ("shard_bytes", "uint64"), 3: ("keep_until_ms", "uint64")}),
    4: ("want", {1: ("first_leaf", "uint32"), 2: ("count", "uint32")}), 5: ("stored", {1: ("keep_until_ms", "uint64")}), 6: ("refused", REFUSAL),
    7: ("release", {1: ("root", "bytes")}), 8: ("released", {1: ("keep_until_ms", "uint64")}),
}


def transfer(_network, data, _context):
    if data[:1] == b"\1":
        hashes = data[5] if len(data) > 5 else 0
        leaf = data[6 + 32 * hashes :]
        need(len(data) >= 6 and hashes <= 32 and 1 <= len(leaf) <= 65_536, "not a block", "FRAME_MALFORMED")
        proof = [data[6 + 32 * index : 38 + 32 * index] for index in range(hashes)]
        return {"say": "block", "leaf": int.from_bytes(data[1:5], "big"), "proof": proof, "bytes": leaf}
    need(data[:1] == b"\0", "no such kind of frame", "FRAME_MALFORMED")
    say, value = which(TRANSFER, data[1:])
    need(say is not None, "nothing said")
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    if "root" in value:
        digest(value["root"])
    if "shard_bytes" in value:
        need(0 < value["shard_bytes"] <= 2**34, "the size of the shard")
    if "keep_until_ms" in value:
        integers(value, "keep_until_ms")
    return {"say": say, **camel(value)}


# placement

PLACE = {1: ("shard", "uint32"), 2: ("keeper", "bytes"), 3: ("keep_until_ms", "uint64")}
PLACEMENT = {
    1: ("object", "bytes"), 2: ("sequence", "uint64"), 3: ("issued_ms", "uint64"), 4: ("expires_ms", "uint64"), 5: ("withdrawn", "bool"),
    6: ("page", "uint32"), 7: ("pages", "uint32"), 8: ("places", [PLACE]),
}
DOSSIER = {1: ("manifest", "bytes"), 2: ("records", ["bytes"]), 3: ("cached", ["uint32"])}
PLACING = {
    1: ("ask", {1: ("object", "bytes")}), 2: ("dossier", DOSSIER), 3: ("tell", {1: ("dossier", DOSSIER), 2: ("advertise", "bool")}), 4: ("kept", {}),
    5: ("claim", {1: ("object", "bytes"), 2: ("for_ms", "uint64")}), 6: ("claimed", {1: ("for_ms", "uint64")}), 7: ("refused", REFUSAL),
}


def placement(network, data, context):
    need(len(data) <= 4096, "too long", "FRAME_TOO_LARGE")
    by, envelope = open_envelope(network, "placement", 1, data)
    made = message(PLACEMENT, envelope["payload"])
    need(1 <= made["pages"] <= 8 and made["page"] < made["pages"], "no such page")
    need(len(made["places"]) <= 64 and not (made["withdrawn"] and made["places"]), "too many places")
    made["object"] = cid_of_hash(digest(made["object"]))
    integers(made, "sequence", "issued_ms", "expires_ms")
    for place in made["places"]:
        need(place["shard"] < 256 and len(place["keeper"]) == 32, "no such shard or keeper")
        integers(place, "keep_until_ms")
        place["keeper"] = peer_of(place["keeper"])
    now, issued, expires = context["nowMs"], made["issued_ms"], made["expires_ms"]
    need(issued <= now + 30_000 and now < expires and 0 < expires - issued <= 366 * 86_400_000, "dates")
    return {"by": by, "body": camel(made)}


def placing(_network, data, _context):
    say, value = which(PLACING, data)
    need(say is not None, "nothing said")
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    if "object" in value:
        value["object"] = cid_of_hash(digest(value["object"]))
    if "for_ms" in value:
        integers(value, "for_ms", most=7_200_000)
    if say == "tell":
        need(value["dossier"] is not None, "no dossier")
        value = {**value.pop("dossier"), **value}
    if "manifest" in value:
        need(len(value["manifest"]) <= 16_384 and all(len(one) <= 4096 for one in value["records"]), "too long", "FRAME_TOO_LARGE")
        need(len(value["records"]) <= 32, "too many records")
        need(len(set(value["cached"])) == len(value["cached"]) and all(one < 256 for one in value["cached"]), "no such shards")
        if not value["cached"]:
            del value["cached"]
    return {"say": say, **camel(value)}


def audit_draw(_network, nonce, context):
    leaves, drawn = context["leaves"], set()
    seed = nonce + context["peer"].encode() + bytes.fromhex(context["root"])
    for draw in range(128):
        if len(drawn) < 32:
            drawn.add(int.from_bytes(sha256(seed + draw.to_bytes(4, "big"))[:6], "big") % leaves)
    return {"nonce": nonce, "drawn": list(range(leaves)) if leaves <= 32 else sorted(drawn)}


# receipt

USAGE = uints(1, "wall_ms", "cpu_ms", "in_bytes", "out_bytes", "gas", "mem_mib_s", "gpu_ms", "store_mib_s")
RECEIPT = {
    1: ("lease", "bytes"), 2: ("job", "string"), 3: ("slot", "uint32"), 4: ("epoch", "uint32"), 5: ("requester", "string"), 6: ("sequence", "uint64"),
    7: ("previous", "bytes"), 8: ("usage", USAGE), 9: ("unit", "string"), 10: ("amount_micro", "uint64"), 11: ("final", "bool"),
    12: ("result", "string"), 13: ("issued_ms", "uint64"),
}
COUNTERSIGNATURE = {1: ("lease", "bytes"), 2: ("sequence", "uint64"), 3: ("receipt", "bytes"), 4: ("issued_ms", "uint64")}
BILLING = {1: ("receipt", "bytes"), 2: ("countersignature", "bytes"), 3: ("dispute", "bytes")}
DISPUTE = {1: ("lease", "bytes"), 2: ("sequence", "uint64"), 3: ("receipt", "bytes"), 4: ("refusal", REFUSAL), 5: ("issued_ms", "uint64")}
SIGNED_64 = 2**63


def counted(schema, made):
    """Like check_numbers, for what is counted: what is wrong with it is said."""
    for name, kind in schema.values():
        if kind == "uint64":
            need(made[name] < SIGNED_64, f"{name} is negative", "NUMBER_NEGATIVE")
            need(made[name] <= EXACT, f"{name} is over 2^53 - 1", "NUMBER_TOO_LARGE")


def receipt_body(data):
    made = message(RECEIPT, data)
    need(made["usage"] is not None, "no usage")
    key_of(made["requester"])
    check_numbers({3: RECEIPT[3], 4: RECEIPT[4]}, made)
    counted(RECEIPT, made)
    counted(USAGE, made["usage"])
    digest(made["lease"]), digest(made["previous"]), cid(made["job"]), text(made["unit"])
    need(made["sequence"] > 0 and (is_cid(made["result"]) if made["final"] else made["result"] == ""), "number or result")
    return made


def countersignature_body(data):
    made = message(COUNTERSIGNATURE, data)
    counted(COUNTERSIGNATURE, made)
    digest(made["lease"]), digest(made["receipt"])
    return made


def dispute_body(data):
    made = message(DISPUTE, data)
    counted(DISPUTE, made)
    digest(made["lease"]), digest(made["receipt"])
    made["refusal"] = refusal(made["refusal"])
    return made


BODIES["receipt"] = receipt_body
BODIES["countersignature"] = countersignature_body
BODIES["receipt-dispute"] = dispute_body


def billing(network, data, _context):
    say, value = which(BILLING, data)
    need(say is not None, "nothing said")
    return {"say": say, say: signed(network, "receipt-dispute" if say == "dispute" else say, value)}


# storage

STORAGE_USAGE = uints(1, "store_mib_s", "audits_passed", "in_bytes", "out_bytes", "relay_bytes")
STORAGE_RECEIPT = {
    1: ("account", "bytes"), 2: ("owner", "string"), 3: ("period", "string"), 4: ("sequence", "uint64"), 5: ("previous", "bytes"),
    6: ("usage", STORAGE_USAGE), 7: ("issued_ms", "uint64"),
}
STORAGE_COUNTERSIGNATURE = {1: ("account", "bytes"), 2: ("sequence", "uint64"), 3: ("receipt", "bytes"), 4: ("issued_ms", "uint64")}
STORING = {
    1: ("stated", {1: ("period", "string"), 2: ("sequence", "uint64"), 3: ("usage", STORAGE_USAGE)}), 2: ("receipt", "bytes"),
    3: ("countersignature", "bytes"), 4: ("signed", {}), 5: ("refused", REFUSAL),
}


def period(value):
    return need(re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", value), "not a month")


def storage_usage(made):
    need(made["usage"] is not None, "no usage")
    counted(STORAGE_USAGE, made["usage"])


def storage_receipt_body(data):
    made = message(STORAGE_RECEIPT, data)
    storage_usage(made)
    counted(STORAGE_RECEIPT, made)
    digest(made["account"])
    digest(made["previous"])
    key_of(made["owner"])
    period(made["period"])
    need(made["sequence"] > 0, "counted from 1")
    return {**made, "account": made["account"].hex()}


def storage_account(network, keeper, made):
    words = ("pleach/storage-account/1", made["owner"], keeper, made["period"], network)
    need(made["account"] == sha256("\n".join(words).encode()).hex(), "another account than its parties have")


def storage_countersignature_body(data):
    made = message(STORAGE_COUNTERSIGNATURE, data)
    counted(STORAGE_COUNTERSIGNATURE, made)
    digest(made["receipt"])
    return {**made, "account": digest(made["account"]).hex()}


BODIES["storage-receipt"] = storage_receipt_body
BODIES["storage-countersignature"] = storage_countersignature_body


def storing(network, data, _context):
    say, value = which(STORING, data)
    need(say is not None, "nothing said")
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    if say == "stated":
        period(value["period"])
        storage_usage(value)
        counted({2: ("sequence", "uint64")}, value)
        return {"say": say, **camel(value)}
    if say == "signed":
        return {"say": say}
    made = signed(network, "storage-" + say, value)
    if say == "receipt":
        storage_account(network, made["by"], made["body"])
    return {"say": say, say: made}


# references

REFERRING = {
    1: ("question", {}), 2: ("references", {1: ("references", [{1: ("receipt", "bytes"), 2: ("countersignature", "bytes")}])}), 3: ("refused", REFUSAL),
}


def referring(network, data, context):
    say, value = which(REFERRING, data)
    need(say is not None, "nothing said")
    if say == "question":
        return {"say": say}
    if say == "refused":
        return {"say": say, "refusal": refusal(value)}
    shown = value["references"]
    need(len(shown) <= 32, "too many")
    need(all(0 < len(one[part]) <= 1_024 for one in shown for part in ("receipt", "countersignature")), "empty or too long")
    read = [reference(network, context["peer"], one) for one in shown]
    need(len({one["lease"] for one in read}) == len(read), "a lease twice")
    return {"say": say, "shown": [{**one, "reads": reads} for one, reads in zip(shown, read)]}


def reference(network, shower, shown):
    by, envelope = open_envelope(network, "receipt", 1, shown["receipt"])
    receipt = receipt_body(envelope["payload"])
    need(by == shower, "of another", "SIGNER_UNEXPECTED")
    need(receipt["requester"] != shower and receipt["final"] and receipt["amount_micro"] > 0, "no reference")
    by, envelope = open_envelope(network, "countersignature", 1, shown["countersignature"])
    signed = countersignature_body(envelope["payload"])
    need(by == receipt["requester"], "signed by another", "SIGNER_UNEXPECTED")
    of = (signed["lease"], signed["sequence"], signed["receipt"])
    need(of == (receipt["lease"], receipt["sequence"], sha256(shown["receipt"])), "of another receipt", "PROOF_INVALID")
    return {
        "by": by, "lease": receipt["lease"].hex(), "unit": receipt["unit"], "amountMicro": receipt["amount_micro"], "issuedMs": receipt["issued_ms"],
    }


# settle

HELD = {1: ("sequence", "uint64"), 2: ("receipt", "bytes"), 3: ("amount_micro", "uint64")}
ENTRY = {
    1: ("lease", "bytes"), 2: ("higher_provides", "bool"), 3: ("sequence", "uint64"), 4: ("receipt", "bytes"), 5: ("amount_micro", "uint64"),
    6: ("settled_micro", "uint64"),
}
DISPUTED = {1: ("lease", "bytes"), 2: ("higher_provides", "bool"), 3: ("code", "string"), 4: ("proposer_holds", HELD), 5: ("other_holds", HELD)}
FORFEIT = {1: ("lease", "bytes"), 2: ("higher_provides", "bool"), 3: ("bond_micro", "uint64"), 4: ("first", "bytes"), 5: ("second", "bytes")}
STATEMENT = {
    1: ("lower", "string"), 2: ("higher", "string"), 3: ("unit", "string"), 4: ("number", "uint64"), 5: ("revision", "uint32"),
    6: ("previous", "bytes"), 7: ("answers", "bytes"), 8: ("entries", [ENTRY]), 9: ("disputed", [DISPUTED]),
    **uints(10, "lower_earned_micro", "higher_earned_micro", "net_micro"), 13: ("debtor", "string"), 14: ("issued_ms", "uint64"),
    15: ("forfeits", [FORFEIT]), **uints(16, "lower_forfeited_micro", "higher_forfeited_micro"),
}
REFERENCE = {1: ("unit", "string"), 2: ("number", "uint64"), 3: ("revision", "uint32"), 4: ("statement", "bytes")}
OBJECTION = {1: ("lease", "bytes"), 2: ("code", "string"), 3: ("holds", HELD)}
DIFFERENCE = {**REFERENCE, 5: ("objections", [OBJECTION]), 6: ("issued_ms", "uint64")}
AGREEMENT = {**REFERENCE, 5: ("issued_ms", "uint64")}
PROOF = {1: ("receipt", "bytes"), 2: ("countersignature", "bytes")}
FORFEIT_PROOF = {1: ("award", "bytes"), 2: ("first", "bytes"), 3: ("second", "bytes")}
SETTLING = {
    1: ("propose", {1: ("statement", "bytes"), 2: ("evidence", [PROOF]), 3: ("forfeits", [FORFEIT_PROOF])}), 2: ("agree", "bytes"),
    3: ("differ", {1: ("difference", "bytes"), 2: ("evidence", [PROOF])}), 4: ("agreed", {1: ("statement", "bytes"), 2: ("agreement", "bytes")}),
}


def held(made):
    need(made is not None, "what is held is missing")
    check_numbers(HELD, made)
    digest(made["receipt"])
    need(made["sequence"] > 0, "receipt 0")


def objection_code(value):
    need(value in ("HOLDS_MORE", "HOLDS_LESS", "RECEIPT_DIFFERS"), "no such objection")


def in_order(items):
    leases = [digest(one["lease"]) for one in items]
    need(all(one < other for one, other in zip(leases, leases[1:])), "leases that are not in order, each once")


def place_of(schema, made):
    check_numbers(schema, made)
    text(made["unit"])
    need(made["number"] > 0 and 0 < made["revision"] <= 65_535, "number or revision 0, or over its bound")


def totals(made):
    """What the entries add in each direction, what each forfeits to the other, the net, and who owes it."""
    earned, forfeited = {"lower": 0, "higher": 0}, {"lower": 0, "higher": 0}
    for entry in made["entries"]:
        earned["lower" if entry["provider"] == made["lower"] else "higher"] += entry["amount_micro"] - entry["settled_micro"]
    for one in made["forfeits"]:
        forfeited["lower" if one["provider"] == made["lower"] else "higher"] += one["bond_micro"]
    return debt(made["lower"], made["higher"], (earned["lower"], earned["higher"]), (forfeited["lower"], forfeited["higher"]))


def debt(lower, higher, earned, forfeited):
    """Who earned is owed, who forfeits owes."""
    to_lower, to_higher = earned[0] + forfeited[1], earned[1] + forfeited[0]
    need(max(to_lower, to_higher) <= EXACT, "a sum too great")
    net = abs(to_lower - to_higher)
    debtor = "" if net == 0 else lower if to_lower < to_higher else higher
    sums = {"lower_earned_micro": earned[0], "higher_earned_micro": earned[1], "lower_forfeited_micro": forfeited[0], "higher_forfeited_micro": forfeited[1]}
    return {**sums, "net_micro": net, "debtor": debtor}


def settlement_body(data):
    made = message(STATEMENT, data)
    key_of(made["lower"]), key_of(made["higher"])
    need(made["lower"] < made["higher"], "peers that are not in order")
    place_of(STATEMENT, made)
    digest(made["previous"])
    entries, disputed, forfeits = made["entries"], made["disputed"], made["forfeits"]
    need(0 < len(entries) + len(disputed) + len(forfeits), "nothing in it")
    need(len(entries) + len(disputed) <= 256 and len(forfeits) <= 2, "too many leases, or bonds")
    for one in entries + disputed + forfeits:
        one["provider"] = made["higher" if one.pop("higher_provides") else "lower"]
    for entry in entries:
        held(entry)
        integers(entry, "settled_micro")
        need(entry["amount_micro"] > entry["settled_micro"], "an entry that adds nothing")
    for one in disputed:
        objection_code(one["code"])
        held(one["proposer_holds"])
        if one["other_holds"] is not None:
            held(one["other_holds"])
    for one in forfeits:
        integers(one, "bond_micro")
        need(one["bond_micro"] > 0, "a bond of nothing")
        digest(one["first"]), digest(one["second"])
    in_order(entries), in_order(disputed), in_order(forfeits)
    need(not {one["lease"] for one in entries} & {one["lease"] for one in disputed}, "a lease taken in and disputed")
    if made["revision"] == 1:
        need(made["answers"] == b"" and disputed == [], "a first revision answers nothing and disputes nothing")
    else:
        digest(made["answers"])
    need(all(made[name] == value for name, value in totals(made).items()), "totals that do not follow")
    return made


def settlement_difference_body(data):
    made = message(DIFFERENCE, data)
    place_of(DIFFERENCE, made)
    digest(made["statement"])
    need(0 < len(made["objections"]) <= 256, "no objections, or too many")
    for one in made["objections"]:
        objection_code(one["code"])
        need(one["holds"] is not None or one["code"] == "HOLDS_LESS", "an objection without what is held")
        if one["holds"] is not None:
            held(one["holds"])
    in_order(made["objections"])
    return made


def settlement_agreement_body(data):
    made = message(AGREEMENT, data)
    place_of(AGREEMENT, made)
    digest(made["statement"])
    return made


BODIES["settlement"] = settlement_body
BODIES["settlement-difference"] = settlement_difference_body
BODIES["settlement-agreement"] = settlement_agreement_body


def proof(network, made):
    """A receipt that both have signed."""
    need(max(map(len, made.values())) <= 1024, "a proof too long")
    receipt, counter = signed(network, "receipt", made["receipt"]), signed(network, "countersignature", made["countersignature"])
    body = receipt["body"]
    need(counter["by"] == body["requester"], "the countersignature of another", "SIGNER_UNEXPECTED")
    wanted = {"lease": body["lease"], "sequence": body["sequence"], "receipt": sha256(made["receipt"])}
    need(all(counter["body"][name] == value for name, value in wanted.items()), "a countersignature of another receipt", "PROOF_INVALID")
    return {"receipt": receipt, "countersignature": counter}


def proofs(network, made):
    need(len(made) <= 32, "too many proofs")
    opened = [proof(network, one) for one in made]
    need(len({one["receipt"]["body"]["lease"] for one in opened}) == len(opened), "two proofs of one lease")
    return opened


def forfeit_proof(network, made):
    """Two ACCEPTs, or two receipts of one number, by the provider of the lease whose award is shown and names a bond."""
    need(len(made["first"]) <= 1024 and len(made["second"]) <= 1024 and len(made["award"]) <= 264 * 1024, "a proof too long")
    award = signed(network, "award", made["award"])
    proves = proven(network, {"first": made["first"], "second": made["second"]})["proves"]
    wanted = (award["body"]["provider"], sha256(made["award"]).hex())
    need(proves["of"] in ("accept", "receipt") and (proves["by"], proves["lease"]) == wanted, "not a fault of its provider", "PROOF_INVALID")
    need(award["body"]["bondMicro"] > 0, "no bond", "PROOF_INVALID")
    return {**made, "award": award}


def forfeit_proofs(network, made):
    need(len(made) <= 2, "too many proofs of forfeits")
    return [forfeit_proof(network, one) for one in made]


def settlement(network, data):
    opened = signed(network, "settlement", data)
    need(opened["by"] in (opened["body"]["lower"], opened["body"]["higher"]), "by neither of the two", "SIGNER_UNEXPECTED")
    return opened


def agreed(network, statement_data, agreement_data):
    statement, agreement = settlement(network, statement_data), signed(network, "settlement-agreement", agreement_data)
    body = statement["body"]
    need({statement["by"], agreement["by"]} == {body["lower"], body["higher"]}, "not by the other of the two", "SIGNER_UNEXPECTED")
    wanted = {**{name: body[name] for name in ("unit", "number", "revision")}, "statement": sha256(statement_data)}
    need(all(agreement["body"][name] == value for name, value in wanted.items()), "an agreement to another statement", "CHAIN_BROKEN")
    return {"statement": statement, "agreement": agreement}


def settling(network, data, _context):
    say, value = which(SETTLING, data)
    need(say is not None, "nothing said")
    if say == "agree":
        return {"say": say, "agreement": signed(network, "settlement-agreement", value)}
    if say == "agreed":
        return {"say": say, **agreed(network, value["statement"], value["agreement"])}
    if say == "propose":
        return {"say": say, "statement": settlement(network, value["statement"]), "evidence": proofs(network, value["evidence"]),
                "forfeits": forfeit_proofs(network, value["forfeits"])}
    difference = signed(network, "settlement-difference", value["difference"])
    return {"say": say, "difference": difference, "evidence": proofs(network, value["evidence"])}


def origin(network, lower, higher, unit):
    """What the first statement of a pair names as the one before."""
    parts = [part.encode() for part in (f"pleach/settlement/1@{network}", lower, higher, unit)]
    return sha256(b"".join(len(part).to_bytes(2, "big") + part for part in parts))


class Settlements:
    """What two peers have agreed in one unit, statement by statement."""

    def __init__(self):
        self.head, self.number, self.settled, self.earned, self.forfeited = None, 0, {}, {}, {}

    def take(self, network, statement_data, agreement_data):
        body = agreed(network, statement_data, agreement_data)["statement"]["body"]
        self.pair = lower, higher = body["lower"], body["higher"]
        if body["number"] < self.number:
            return
        if body["number"] == self.number:
            need(sha256(statement_data) == self.head, "two of one number", "EQUIVOCATION")
            return
        need(body["number"] == self.number + 1, "a number left out", "OUT_OF_TURN")
        before = origin(network, lower, higher, body["unit"]) if self.head is None else self.head
        need(body["previous"] == before, "it does not follow", "CHAIN_BROKEN")
        for entry in body["entries"]:
            known = self.settled.get(entry["lease"], {"settledMicro": 0})
            need(entry["settledMicro"] == known["settledMicro"], "another amount settled before", "CHAIN_BROKEN")
        for one in body["forfeits"]:
            need(one["lease"] not in self.forfeited, "a bond forfeited before", "CHAIN_BROKEN")
        for one in body["forfeits"]:
            self.forfeited[one["lease"]] = one["provider"], one["bondMicro"]
        for entry in body["entries"]:
            lease, provider, amount = entry["lease"], entry["provider"], entry["amountMicro"]
            self.settled[lease] = {"lease": lease, "provider": provider, "settledMicro": amount}
            self.earned[provider] = self.earned.get(provider, 0) + amount - entry["settledMicro"]
        self.head, self.number = sha256(statement_data), body["number"]

    def balance(self):
        forfeited = [sum(bond for provider, bond in self.forfeited.values() if provider == peer) for peer in self.pair]
        sums = debt(*self.pair, [self.earned.get(peer, 0) for peer in self.pair], forfeited)
        return {"number": self.number, "leases": [self.settled[lease] for lease in sorted(self.settled)], **camel(sums)}

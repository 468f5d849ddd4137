"""Files of receipts, of work and of storage, and their verifiable form, as a stranger reads them (protocols/receipt/README.md,
protocols/storage/README.md). Python's standard library alone.

    python3 receipts.py FILE…      says of each what it comes to; ends with 0 when all of them hold
"""

import base64
import datetime
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocols
from basics import Fault, base58_decode, base58_encode, key_of, need, sha256, verifies

KEPT = ("storeMibS", "auditsPassed", "inBytes", "outBytes", "relayBytes")
USAGES = ("wallMs", "cpuMs", "gas", "memMibS", "gpuMs", "inBytes", "outBytes", "storeMibS")
PRICES = ("cpuHourMicro", "gigaGasMicro", "memoryGibHourMicro", "gpuHourMicro", "inGibMicro", "outGibMicro", "storeGibHourMicro")


def amount(award, usage):
    """What each part comes to, each rounded up, and their sum, at most the ceiling."""
    gib, gib_hour = 2**30, 1024 * 3600
    parts = (
        (award["cpuMilli"] * usage["wallMs"], "cpuHourMicro", 3_600_000_000), (usage["gas"], "gigaGasMicro", 10**9),
        (usage["memMibS"], "memoryGibHourMicro", gib_hour), (usage["gpuMs"], "gpuHourMicro", 3_600_000),
        (usage["inBytes"], "inGibMicro", gib), (usage["outBytes"], "outGibMicro", gib), (usage["storeMibS"], "storeGibHourMicro", gib_hour),
    )
    return min(sum(-(-quantity * award[price] // per) for quantity, price, per in parts), award["ceilingMicro"])


def decimal(micro):
    units, rest = divmod(micro, 1_000_000)
    return f"{units}.{rest:06}".rstrip("0").rstrip(".")


# The form of a file: a kind is a function of (value, place, enter).


def bad(holds):
    need(holds, "not of the form of a receipt file", "BAD_RECEIPT_FILE")


def literal(wanted):
    def check(value, place, enter):
        enter(place)
        bad(type(value) is type(wanted) and value == wanted)

    return check


def text(chars_max):
    def check(value, place, enter):
        enter(place)
        bad(isinstance(value, str) and len(value.encode("utf-16-le", "surrogatepass")) <= 2 * chars_max)
        bad(not any(0xD800 <= ord(letter) < 0xE000 for letter in value))

    return check


def network_name(value, place, enter):
    enter(place)
    bad(isinstance(value, str) and re.fullmatch(protocols.NETWORK, value) is not None)


def nullable(kind):
    return lambda value, place, enter: None if value is None else kind(value, place, enter)


def listed(items_max, kind):
    def check(value, place, enter):
        enter(place)
        bad(isinstance(value, list) and len(value) <= items_max)
        for index, item in enumerate(value):
            kind(item, f"{place}.{index}", enter)

    return check


def keyed(**kinds):
    def check(value, place, enter):
        enter(place or "the file")
        bad(isinstance(value, dict))
        for key, kind in kinds.items():
            # What is not there is of no kind, not even null.
            kind(value.get(key, Ellipsis), f"{place}.{key}".lstrip("."), enter)
        for key in value:
            enter(f"{place}.{key}".lstrip("."))
            bad(key in kinds)

    return check


def month(value, place, enter):
    enter(place)
    bad(isinstance(value, str) and re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", value) is not None)


STATEMENT = text(1_000_000)
RECEIPTS = listed(100_000, keyed(receipt=STATEMENT, countersignature=nullable(STATEMENT)))
FILE = keyed(
    v=literal(1), kind=literal("pleach-receipts"), network=network_name, lease=keyed(award=STATEMENT, accept=STATEMENT, commit=STATEMENT),
    result=nullable(STATEMENT), receipts=RECEIPTS, disputes=listed(100_000, STATEMENT),
)
STORAGE_FILE = keyed(
    v=literal(1), kind=literal("pleach-storage-receipts"), network=network_name, owner=text(64), keeper=text(64), period=month, receipts=RECEIPTS,
)


def data(spelt):
    """Base64 has one spelling."""
    try:
        made = base64.b64decode(spelt, validate=True)
    except ValueError:
        raise Fault("FRAME_MALFORMED", "not base64") from None
    need(base64.b64encode(made).decode() == spelt, "not base64", "FRAME_MALFORMED")
    return made


def open_lease(network, made, enter):
    """(id, award): the award as it was signed, by the requester."""
    enter("lease.award")
    award_data = data(made["award"])
    award = protocols.signed(network, "award", award_data)
    lease = sha256(award_data)
    enter("lease.accept")
    accept_data = data(made["accept"])
    accept = protocols.signed(network, "accept", accept_data)
    need(accept["by"] == award["body"]["provider"], "the ACCEPT is by another", "SIGNER_UNEXPECTED")
    need(accept["body"]["lease"] == lease, "the ACCEPT is of another lease")
    enter("lease.commit")
    commit = protocols.signed(network, "commit", data(made["commit"]))
    need(commit["by"] == award["by"], "the COMMIT is by another", "SIGNER_UNEXPECTED")
    need(commit["body"]["lease"] == lease and commit["body"]["accept"] == sha256(accept_data), "the COMMIT is of something else")
    return lease, award


def check_next(lease, award, chain, receipt, envelope):
    """`chain`: (hash, body) of the receipts before."""
    body, terms = receipt["body"], {**award["body"], "lease": lease, "requester": award["by"]}
    need(receipt["by"] == terms["provider"], "the receipt is by another", "SIGNER_UNEXPECTED")
    need(all(body[name] == terms[name] for name in ("lease", "job", "slot", "epoch", "requester", "unit")), "of another lease")
    if body["sequence"] <= len(chain):
        need(chain[body["sequence"] - 1][0] == sha256(envelope), "two of one number", "EQUIVOCATION")
        raise Fault("REPLAYED", "a receipt that comes again")
    need(not chain or not chain[-1][1]["final"], "one after the last", "OUT_OF_TURN")
    need(body["sequence"] == len(chain) + 1, "one is missing", "SEQUENCE_GAP")
    need(body["previous"] == (chain[-1][0] if chain else lease), "it does not follow", "CHAIN_BROKEN")
    need(not chain or all(body["usage"][name] >= chain[-1][1]["usage"][name] for name in USAGES), "usage that falls", "USAGE_FELL")
    need(body["amountMicro"] == amount(terms, body["usage"]), "not what the lease says", "OVERCHARGED")


def check_answer(requester, lease, chain, number, answer):
    """A countersignature or a dispute must name the receipt with this number."""
    need(answer["by"] == requester, "by another than the requester", "SIGNER_UNEXPECTED")
    body = answer["body"]
    is_here = 0 < number <= len(chain) and body["lease"] == lease and body["sequence"] == number and body["receipt"] == chain[number - 1][0]
    need(is_here, "of another receipt", "CHAIN_BROKEN")


def check_file(made, enter):
    """What the file says, or a Fault; `enter` hears where we are."""
    FILE(made, "", enter)
    network = made["network"]
    lease, award = open_lease(network, made["lease"], enter)
    terms, requester = award["body"], award["by"]
    enter("result")
    result = None if made["result"] is None else protocols.result(network, data(made["result"]), None)
    if result is not None:
        place = {**{name: terms[name] for name in ("job", "slot", "epoch")}, "lease": lease.hex()}
        need(result["by"] == terms["provider"], "the result is by another")
        need(all(result["document"][name] == value for name, value in place.items()), "the result is of another lease")
    chain, signed, both = [], None, 0
    for index, entry in enumerate(made["receipts"]):
        enter(f"receipts.{index}.receipt")
        envelope = data(entry["receipt"])
        receipt = protocols.signed(network, "receipt", envelope)
        check_next(lease, award, chain, receipt, envelope)
        body = receipt["body"]
        need(not body["final"] or result is None or body["result"] == result["cid"], "another result", "RESULT_DIFFERS")
        chain.append((sha256(envelope), body))
        if entry["countersignature"] is None:
            continue
        enter(f"receipts.{index}.countersignature")
        counter = protocols.signed(network, "countersignature", data(entry["countersignature"]))
        check_answer(requester, lease, chain, len(chain), counter)
        signed, both = body, both + 1
    disputes = []
    for index, spelt in enumerate(made["disputes"]):
        enter(f"disputes.{index}")
        dispute = protocols.signed(network, "receipt-dispute", data(spelt))
        body = dispute["body"]
        check_answer(requester, lease, chain, body["sequence"], dispute)
        is_over = signed is not None and signed["sequence"] >= body["sequence"]
        disputes.append({"sequence": body["sequence"], **body["refusal"], "issuedMs": body["issuedMs"], "resolved": is_over})
    last = chain[-1][1] if chain else None
    nothing = dict.fromkeys(USAGES, 0)
    document = None if result is None else result["document"]
    return {
        "network": network, "lease": lease.hex(), **{name: terms[name] for name in ("job", "slot", "epoch", "provider")}, "requester": requester,
        "agreedMs": terms["issuedMs"], "lastMs": None if last is None else last["issuedMs"], "unit": terms["unit"],
        "tariff": {name: terms[name] for name in PRICES}, "cpuMilli": terms["cpuMilli"], "ceiling": decimal(terms["ceilingMicro"]),
        "receipts": len(chain), "bothSigned": both,
        "payable": decimal(signed["amountMicro"] if signed else 0), "usage": signed["usage"] if signed else nothing,
        "claimed": {"amount": decimal(last["amountMicro"] if last else 0), "usage": last["usage"] if last else nothing},
        "final": last is not None and last["final"], "result": last["result"] if last else "",
        "ended": None if document is None else {"reason": document["reason"], "exitCode": document["exitCode"]}, "disputes": disputes,
    }


def check_next_kept(keeper, account, chain, receipt, envelope):
    """`chain`: (hash, body) of the receipts before."""
    body = receipt["body"]
    need(receipt["by"] == keeper, "the receipt is by another", "SIGNER_UNEXPECTED")
    need(body["account"] == account, "of another account")
    if body["sequence"] <= len(chain):
        need(chain[body["sequence"] - 1][0] == sha256(envelope), "two of one number", "EQUIVOCATION")
        raise Fault("REPLAYED", "a receipt that comes again")
    need(body["sequence"] == len(chain) + 1, "one is missing", "SEQUENCE_GAP")
    need(body["previous"] == (chain[-1][0] if chain else bytes.fromhex(account)), "it does not follow", "CHAIN_BROKEN")
    need(not chain or all(body["usage"][name] >= chain[-1][1]["usage"][name] for name in KEPT), "usage that falls", "USAGE_FELL")


def check_storage_file(made, enter):
    """What a file of receipts of storage says, or a Fault."""
    STORAGE_FILE(made, "", enter)
    network, owner, keeper, period = (made[name] for name in ("network", "owner", "keeper", "period"))
    for party in ("owner", "keeper"):
        enter(party)
        key_of(made[party])
    account = sha256("\n".join(("pleach/storage-account/1", owner, keeper, period, network)).encode()).hex()
    chain, signed, both = [], None, 0
    for index, entry in enumerate(made["receipts"]):
        enter(f"receipts.{index}.receipt")
        envelope = data(entry["receipt"])
        receipt = protocols.signed(network, "storage-receipt", envelope)
        protocols.storage_account(network, receipt["by"], receipt["body"])
        check_next_kept(keeper, account, chain, receipt, envelope)
        chain.append((sha256(envelope), receipt["body"]))
        if entry["countersignature"] is None:
            continue
        enter(f"receipts.{index}.countersignature")
        counter = protocols.signed(network, "storage-countersignature", data(entry["countersignature"]))
        need(counter["by"] == owner, "by another than the owner", "SIGNER_UNEXPECTED")
        named = (counter["body"]["account"], counter["body"]["sequence"], counter["body"]["receipt"])
        need(named == (account, len(chain), chain[-1][0]), "of another receipt", "CHAIN_BROKEN")
        signed, both = receipt["body"], both + 1
    enter("receipts")
    need(chain, "no receipt", "NO_RECEIPT")
    last = chain[-1][1]
    return {
        "network": network, "account": account, "owner": owner, "keeper": keeper, "period": period, "lastMs": last["issuedMs"],
        "receipts": len(chain), "bothSigned": both, "signedMs": signed["issuedMs"] if signed else None,
        "usage": signed["usage"] if signed else dict.fromkeys(KEPT, 0), "claimed": last["usage"],
    }


# By the kind of a file: how it is checked, its names in the verifiable form, and who signs and who countersigns its receipts.
WORK = (check_file, "PleachReceiptCredential", "PleachReceiptFile", ("provider", "requester"))
STORAGE = (check_storage_file, "PleachStorageReceiptCredential", "PleachStorageReceiptFile", ("keeper", "owner"))


def form_of(file):
    """Whatever does not say so is judged as receipts of work."""
    return STORAGE if isinstance(file, dict) and file.get("kind") == "pleach-storage-receipts" else WORK


# The verifiable form: W3C Verifiable Credentials 2.0, did:key, Data Integrity eddsa-jcs-2022


def did_of(peer):
    return f"did:key:z{base58_encode(bytes([0xED, 0x01]) + key_of(peer))}"


def canonical(value):
    """RFC 8785; numbers are whole in these documents."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def where_different(one, other, place=""):
    """The place of the first difference, or None."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(key, one.get(key, Ellipsis), other.get(key, Ellipsis)) for key in [*other, *(key for key in one if key not in other)]]
    elif isinstance(one, list) and isinstance(other, list):
        longest = range(max(len(one), len(other)))
        pairs = [(index, one[index] if index < len(one) else Ellipsis, other[index] if index < len(other) else Ellipsis) for index in longest]
    else:
        return None if isinstance(one, bool) == isinstance(other, bool) and one == other else place
    for key, left, right in pairs:
        found = where_different(left, right, f"{place}.{key}".lstrip("."))
        if found is not None:
            return found
    return None


CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2"]


def check_credential(made, enter):
    enter("evidence")
    evidence = made.get("evidence")
    bad(isinstance(evidence, list) and len(evidence) == 1)
    inside = "evidence.0.file"
    enter(inside)
    bad(isinstance(evidence[0], dict) and "file" in evidence[0])
    file = evidence[0]["file"]
    check_form, credential_type, evidence_type, names = form_of(file)
    account = check_form(file, lambda place: enter(inside if place == "the file" else f"{inside}.{place}"))
    enter("issuer")
    parties = [account[name] for name in names]
    exporter = next((peer for peer in parties if did_of(peer) == made.get("issuer")), None)
    need(exporter is not None, "issued by neither", "SIGNER_UNEXPECTED")
    serving, served = map(did_of, parties)
    need(account["lastMs"] is not None, "no receipt", "NO_RECEIPT")
    day = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=account["lastMs"])
    subject = {"id": served if exporter == parties[0] else serving, **account, names[0]: serving, names[1]: served}
    claims = {
        "@context": CONTEXT, "type": ["VerifiableCredential", credential_type], "issuer": did_of(exporter),
        "validFrom": day.isoformat(timespec="milliseconds") + "Z", "credentialSubject": subject,
        "evidence": [{"type": evidence_type, "file": file}],
    }
    different = where_different({key: value for key, value in made.items() if key != "proof"}, claims)
    if different is not None:
        enter(different)
        raise Fault("CLAIM_DIFFERS", "not what was signed")
    enter("proof")
    proof = made.get("proof")
    need(isinstance(proof, dict) and isinstance(proof.get("proofValue"), str), "no proof")
    created = proof.get("created")
    need(isinstance(created, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", created, re.ASCII) is not None, "no date")
    options = {
        "@context": CONTEXT, "type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "created": created,
        "verificationMethod": f"{did_of(exporter)}#{did_of(exporter)[len('did:key:'):]}", "proofPurpose": "assertionMethod",
    }
    need({**options, "proofValue": proof["proofValue"]} == proof, "a proof of another kind")
    signed = b"".join(sha256(canonical(part).encode("utf-8")) for part in (options, claims))
    is_right = proof["proofValue"].startswith("z") and verifies(key_of(exporter), signed, base58_decode(proof["proofValue"][1:]))
    need(is_right, "the proof does not fit", "SIGNATURE_INVALID")
    return {"kind": file["kind"], "credential": {"issuer": did_of(exporter), "created": created}, **account}


def check(made, enter):
    """A file or its verifiable form: what it says, or a Fault; `enter` hears where we are."""
    if isinstance(made, dict) and "@context" in made:
        return check_credential(made, enter)
    account = form_of(made)[0](made, enter)
    return {"kind": made["kind"], "credential": None, **account}


def main(paths):
    wrong = 0
    for path in paths:
        place = ["the file"]
        try:
            with open(path, encoding="utf-8") as file:
                said = check(json.load(file), place.append)
            print(json.dumps({"ok": True, **said}))
        except (Fault, ValueError) as fault:
            wrong += 1
            print(json.dumps({"ok": False, "code": getattr(fault, "code", "BAD_RECEIPT_FILE"), "at": place[-1]}))
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

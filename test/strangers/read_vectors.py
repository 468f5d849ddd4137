"""Reads the golden vectors of test/vectors as a stranger would, with Python's standard library alone.

    python3 read_vectors.py [FOLDER]      ends with 0 when every vector is what the agreement says

Signatures, names, CIDs, proofs, chains and amounts are computed anew; what the bytes mean is compared with what is written beside
them, and what is no lawful message must be the fault that is named.
"""

import base64
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocols
import receipts
import vouchers
from basics import Fault, key_of, need, peer_of, read_varint, sha256, varint


def envelope(network, data, context):
    by, parts = protocols.open_envelope(network, context["type"]["name"], context["type"]["version"], data)
    return {
        "by": by, "publicKey": parts["key"][4:], "payloadType": parts["type"].decode(), "payload": parts["payload"], "signature": parts["signature"],
    }


def frames(_network, data, context):
    found, at = [], 0
    while at < len(data):
        prefix = next((end for end in range(at, min(at + 4, len(data))) if data[end] < 0x80), None)
        need(prefix is not None or len(data) - at < 4, "a length too long", "FRAME_MALFORMED")
        need(prefix is not None, "the end inside a length", "FRAME_TRUNCATED")
        length, begin = read_varint(data, at)
        need(varint(length) == data[at:begin], "a length that could be shorter", "FRAME_MALFORMED")
        need(length <= context["frameBytesMax"], "over the cap", "FRAME_TOO_LARGE")
        at = begin + length
        need(at <= len(data), "the end inside a body", "FRAME_TRUNCATED")
        found.append(data[begin:at])
    return {"frames": found}


def peer_name(_network, data, _context):
    peer = data.decode()
    key = key_of(peer)
    need(peer_of(key) == peer, "another spelling")
    return {"peer": peer, "publicKey": key}


def root_of(leaf, leaves, leaf_hash, proof):
    """RFC 6962: the root that this audit path leads to, or None when it is not of this length."""
    if leaves == 1:
        return leaf_hash if not proof else None
    if not proof:
        return None
    split = 1 << ((leaves - 1).bit_length() - 1)
    *below, beside = proof
    if leaf < split:
        left, right = root_of(leaf, split, leaf_hash, below), beside
    else:
        left, right = beside, root_of(leaf - split, leaves - split, leaf_hash, below)
    return None if left is None or right is None else sha256(b"\1" + left + right)


def merkle_proof(_network, data, context):
    proof = [data[at : at + 32] for at in range(0, len(data), 32)]
    leaf, leaves = context["leaf"], context["leaves"]
    root = root_of(leaf, leaves, bytes.fromhex(context["leafHash"]), proof) if leaf < leaves else None
    need(root is not None and root.hex() == context["root"], "the proof does not lead to the root", "PROOF_INVALID")
    return {"proof": proof}


KINDS = {
    "envelope": envelope, "frames": frames, "peer-name": peer_name, "merkle-proof": merkle_proof, "capability": protocols.capability,
    "bid": protocols.bid, "discovery": protocols.discovery, "inquiry": protocols.inquiry, "forward": protocols.forward, "referring": protocols.referring, "evidence": protocols.evidence, "negotiation": protocols.negotiation, "job-manifest": protocols.job_manifest,
    "object-manifest": protocols.object_manifest, "result": protocols.result, "execution": protocols.execution,
    "transfer": protocols.transfer, "billing": protocols.billing, "storing": protocols.storing, "settling": protocols.settling, "vouching": vouchers.vouching,
    "placement": protocols.placement, "placing": protocols.placing, "audit-draw": protocols.audit_draw,
}


class Account:
    """The chain of one lease, as the requester of it checks it."""

    def __init__(self, award_envelope, award):
        self.award, self.requester, self.provider = award["body"], award["by"], award["body"]["provider"]
        self.lease = self.previous = sha256(award_envelope)
        self.sequence, self.amount, self.final, self.usage = 0, 0, False, dict.fromkeys(
            ("wallMs", "cpuMs", "gas", "memMibS", "gpuMs", "inBytes", "outBytes", "storeMibS"), 0
        )

    def take(self, network, data):
        """The receipt, or None for one that came before."""
        receipt = protocols.signed(network, "receipt", data)
        body = receipt["body"]
        need(receipt["by"] == self.provider, "another signer", "SIGNER_UNEXPECTED")
        need(body["lease"] == self.lease, "another lease")
        if body["sequence"] < self.sequence:
            return None
        if body["sequence"] == self.sequence:
            need(sha256(data) == self.previous, "two of one number", "EQUIVOCATION")
            return None
        need(not self.final, "one after the last", "OUT_OF_TURN")
        need(body["sequence"] == self.sequence + 1, "one is missing", "SEQUENCE_GAP")
        need(body["previous"] == self.previous, "it does not follow", "CHAIN_BROKEN")
        terms = {**self.award, "requester": self.requester}
        need(all(body[name] == terms[name] for name in ("job", "slot", "epoch", "requester", "unit")), "another lease's terms")
        need(all(body["usage"][name] >= self.usage[name] for name in self.usage), "usage that falls", "USAGE_FELL")
        need(body["amountMicro"] >= self.amount, "an amount that falls", "USAGE_FELL")
        need(body["amountMicro"] == receipts.amount(self.award, body["usage"]), "not what the lease says", "OVERCHARGED")
        self.sequence, self.previous, self.usage = body["sequence"], sha256(data), body["usage"]
        self.amount, self.final = body["amountMicro"], body["final"]
        return receipt


def as_json(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: as_json(one) for name, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list) else value


def read_case(network, case, folder):
    """What a case comes to: (meaning, fault, place)."""
    place = []
    try:
        if case["kind"] == "chain":
            with open(os.path.join(folder, "lease.json"), encoding="utf-8") as file:
                award_data = base64.b64decode(json.load(file)["cases"][0]["file"]["lease"]["award"])
            account = Account(award_data, protocols.signed(network, "award", award_data))
            for index, data in enumerate(case["receipts"]):
                place.append(index)
                account.take(network, bytes.fromhex(data))
            return None, None, None
        if case["kind"] == "settlements":
            account = protocols.Settlements()
            for index, pair in enumerate(case["settlements"]):
                place.append(index)
                account.take(network, bytes.fromhex(pair["statement"]), bytes.fromhex(pair["agreement"]))
            return as_json(account.balance()), None, None
        if case["kind"] == "receipt-file":
            return receipts.check(case["file"], place.append), None, None
        return as_json(KINDS[case["kind"]](network, bytes.fromhex(case["hex"]), case.get("context", {}))), None, None
    except Fault as fault:
        return None, fault.code, place[-1] if place else None


def check_case(network, case, folder):
    """What is wrong with a case, or None."""
    meaning, fault, place = read_case(network, case, folder)
    if case["kind"] == "receipt-file" and "at" in case:
        wanted = [case["code"], case["at"]]
        return None if [fault, place] == wanted else f"it is {fault} at {place}, not {wanted[0]} at {wanted[1]}"
    if fault != case.get("fault"):
        return f"it is {fault or 'no fault'}, not {case.get('fault', 'no fault')}"
    if case["kind"] == "chain" and fault is not None and place != len(case["receipts"]) - 1:
        return f"receipt {place} is the fault, not the last"
    if case["kind"] == "settlements" and fault is not None and place != len(case["settlements"]) - 1:
        return f"settlement {place} is the fault, not the last"
    if fault is None and meaning != case.get("meaning"):
        return f"it means {json.dumps(meaning)}"
    return None


def main(folder):
    read, wrong = 0, []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            made = json.load(file)
        # The two older files, of codes and sealed objects, have a form of their own.
        if "keys" not in made:
            continue
        for key in made["keys"]:
            if peer_of(bytes.fromhex(key["publicKey"])) != key["peer"]:
                wrong.append(f"{name}: the name of the key of the {key['name']}")
        for case in made["cases"]:
            problem = check_case(made["network"], case, folder)
            read += 1
            if problem is not None:
                wrong.append(f"{name}: {case['name']}: {problem}")
    for line in wrong:
        print(line)
    print(f"{read} vectors read, {len(wrong)} wrong")
    return 1 if wrong or read == 0 else 0


if __name__ == "__main__":
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else default))

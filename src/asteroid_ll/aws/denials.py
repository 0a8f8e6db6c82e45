"""What AWS says when it denies a call: the action, the kind of policy, and so who can change it.

The forms of the message are those of "Troubleshoot access denied error messages" in AWS's IAM user guide. AWS names
the action that is missing, which is often not the operation that was called: CreateTrainingJob needs ``iam:PassRole``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)(?: on resource: \"?([^\s\"]+)\"?)?")
_POLICY = re.compile(
    r"(because no|with an explicit deny in an?) (?P<policy>identity-based policy|permissions boundary|session policy"
    r"|resource-based policy|service control policy|resource control policy|VPC endpoint policy)"
)
_CAUSES = {
    "service control policy": (
        "A service control policy of the AWS organization",
        "An Allow in the caller's policy changes nothing: ask the organization's administrator",
    ),
    "resource control policy": (
        "A resource control policy of the AWS organization",
        "An Allow in the caller's policy changes nothing: ask the organization's administrator",
    ),
    "permissions boundary": (
        "The caller's permissions boundary",
        "An Allow in another policy changes nothing: ask whoever manages the boundary",
    ),
    "session policy": (
        "The policy of the caller's session",
        "Sign in again with a session that allows it",
    ),
    "VPC endpoint policy": (
        "The policy of the VPC endpoint through which this network reaches AWS",
        "Ask whoever manages the endpoint, or use another network",
    ),
}
_BY_RESOURCE = {
    "s3": ("The bucket's policy", "Ask the bucket's owner, or choose another 'bucket'"),
    "kms": ("The key's policy", "Ask the key's owner, or choose another key"),
}


@dataclass(frozen=True)
class Denial:
    """A denied action.

    Attributes:
        action: the action, such as ``iam:PassRole``.
        hint: who denies it if AWS says so, and what to do.
    """

    action: str
    hint: str


def denial(message: str, *, action: str) -> Denial:
    """Return what AWS's message says about a denied call.

    Args:
        message: the message of AWS's refusal; the short ones, such as ``Access Denied``, name nothing.
        action: the action of the call, for such a message.
    """
    named = _ACTION.search(message)
    resource = ""
    if named is not None:
        action = named[1]
        resource = f" on {named[2]}" if named[2] and named[2] != "*" else ""
    found = _POLICY.search(message)
    policy = found["policy"] if found is not None else "identity-based policy"
    is_explicit = found is not None and "explicit" in found[0]
    if policy == "resource-based policy":
        cause, fix = _BY_RESOURCE.get(action.partition(":")[0], ("The resource's policy", "Ask the resource's owner"))
    elif policy in _CAUSES:
        cause, fix = _CAUSES[policy]
    elif is_explicit:
        cause, fix = "A statement of the caller's IAM policy", "An Allow changes nothing: remove that statement"
    else:
        return Denial(action, f"Allow {action}{resource} in the caller's IAM policy, then run the same command again.")
    verb = "denies" if is_explicit else "does not allow"
    return Denial(action, f"{cause} {verb} {action}{resource}. {fix}.")

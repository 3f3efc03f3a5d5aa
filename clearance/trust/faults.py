"""Faults of keys, signatures, roles and approvals: each sentence stands here once."""

from clearance.errors import ConfigurationError, ErrorKind, IntegrityError

_NEVER_EDIT = "take it from where it was signed, and never edit it"
_SIGN_AGAIN = "have the root sign it again"
_ROOT_AGAIN = "get root.json from the holders of your root again"
_PRINTED = "copy the entry as it was printed when the key was made"
_GIVE_PUBLIC = "pass the file NAME.pub that `clearance keys create NAME` wrote"
_CORRECT_ROLES = "correct policies/roles.yaml; docs/governance.md describes its content"

# Envelopes

NOT_AN_ENVELOPE = ErrorKind(
    "trust.not_an_envelope",
    IntegrityError,
    "this is not a DSSE envelope with a statement: {why}",
    _NEVER_EDIT,
)
NO_VALID_SIGNATURE = ErrorKind(
    "trust.no_valid_signature",
    IntegrityError,
    "no signature of this statement is valid ({why})",
    "ask the signer to sign it again, with a key that is listed and valid",
)
ENVELOPE_NOT_READABLE = ErrorKind(
    "trust.envelope_not_readable", IntegrityError, "{path} cannot be read ({why})", "restore the file"
)
SIGNER_FAILED = ErrorKind(
    "trust.signer_failed",
    ConfigurationError,
    "the signer failed ({why})",
    "check that the signer in CLEARANCE_SIGNER can be reached, and that its PIN or token is right",
)
WRONG_SIGNER_KEY = ErrorKind(
    "trust.wrong_signer_key",
    ConfigurationError,
    "the signature does not match the signer's public key ({why})",
    "set CLEARANCE_SIGNER to the private key of the public key in policies/roles.yaml",
)

# Evidence bundles and decisions

NOT_A_BUNDLE = ErrorKind(
    "trust.not_a_bundle",
    IntegrityError,
    "this is not an evidence bundle but a {predicate}",
    "pass the evidence bundle",
)
INCONSISTENT_BUNDLE = ErrorKind(
    "trust.inconsistent_bundle",
    IntegrityError,
    "the evidence bundle contradicts itself: {why}",
    "release the model again to make a new bundle",
)
NOT_A_DECISION = ErrorKind(
    "trust.not_a_decision",
    IntegrityError,
    "this statement is not a decision",
    "decide with `clearance approve` or `clearance reject`",
)
INVALID_DECISION = ErrorKind(
    "trust.invalid_decision", IntegrityError, "this decision is invalid: {why}", "decide again, with a reason"
)

# Keys

INVALID_PERSON_NAME = ErrorKind(
    "trust.invalid_person_name",
    ConfigurationError,
    "{name!r} cannot be the name of a person",
    "use lower-case letters, digits, `.`, `_`, `@`, `-`",
)
NOT_A_PRIVATE_KEY = ErrorKind(
    "trust.not_a_private_key",
    ConfigurationError,
    "{path} is not a PEM private key, or the passphrase is wrong",
    "check CLEARANCE_PASSPHRASE, and that the file is PKCS #8 in PEM",
)
UNUSABLE_KEY_TYPE = ErrorKind(
    "trust.unusable_key_type",
    ConfigurationError,
    "{path}: this key type cannot be used for signing ({why})",
    "make an Ed25519 key",
)
PRIVATE_KEY_NOT_READABLE = ErrorKind(
    "trust.private_key_not_readable",
    ConfigurationError,
    "the private key {path} cannot be read ({why})",
    "set CLEARANCE_SIGNER to your key file, or make a key",
)
PRIVATE_KEY_EXPOSED = ErrorKind(
    "trust.private_key_exposed",
    ConfigurationError,
    "other users can access the private key {path} (mode {mode:04o})",
    "run `chmod 600 {path}`; if somebody could have read it, have the key revoked and make a new one",
)
KEY_EXISTS = ErrorKind(
    "trust.key_exists",
    ConfigurationError,
    "{path} already exists, and keys are never overwritten",
    "choose another folder",
)
NOT_A_PUBLIC_KEY = ErrorKind(
    "trust.not_a_public_key",
    ConfigurationError,
    "key {keyid}… is not a public key that can be used ({why})",
    _PRINTED,
)
WRONG_KEYID = ErrorKind(
    "trust.wrong_keyid",
    ConfigurationError,
    "key {keyid}… has the wrong key id: the id of this public key is {expected}",
    f"{_PRINTED}; if you did not change it, find out who did",
)
PUBLIC_KEY_NOT_READABLE = ErrorKind(
    "trust.public_key_not_readable", ConfigurationError, "{file} cannot be read ({why})", _GIVE_PUBLIC
)
PRIVATE_NOT_PUBLIC = ErrorKind(
    "trust.private_not_public",
    ConfigurationError,
    "{file} is a private key, which you should never hand out",
    _GIVE_PUBLIC,
)
NO_PUBLIC_KEY = ErrorKind(
    "trust.no_public_key", ConfigurationError, "{file} does not hold a public key ({why})", _GIVE_PUBLIC
)

# Signers

NO_IDENTITY = ErrorKind(
    "trust.no_identity",
    ConfigurationError,
    "no acting identity is set",
    "set CLEARANCE_IDENTITY to your name in policies/roles.yaml",
)
UNKNOWN_IDENTITY = ErrorKind(
    "trust.unknown_identity",
    ConfigurationError,
    "policies/roles.yaml does not list {name}",
    "set CLEARANCE_IDENTITY to a name that it lists",
)
NO_SIGNER = ErrorKind(
    "trust.no_signer",
    ConfigurationError,
    "no signer is set for {name}",
    "set CLEARANCE_SIGNER, for example to file2:/path/{name}.pem",
)
NO_VALID_KEY = ErrorKind(
    "trust.no_valid_key",
    ConfigurationError,
    "{name} has no key that is valid now",
    "make one, and have the root sign it into policies/roles.yaml",
)
UNKNOWN_SCHEME = ErrorKind(
    "trust.unknown_scheme",
    ConfigurationError,
    "CLEARANCE_SIGNER does not name a known kind of signer",
    "write <scheme>:<location>; the schemes are {schemes}",
)
AMBIGUOUS_KEY = ErrorKind(
    "trust.ambiguous_key",
    ConfigurationError,
    "a {scheme}: signer needs exactly one public key, and {count} are valid now",
    "list its key in policies/roles.yaml, and end the older one with `until`",
)
UNUSABLE_SIGNER = ErrorKind(
    "trust.unusable_signer",
    ConfigurationError,
    "the {scheme}: signer cannot be used ({why})",
    "install its library, and check the URI",
)
NOT_A_KEY_PATH = ErrorKind(
    "trust.not_a_key_path",
    ConfigurationError,
    "CLEARANCE_SIGNER: {scheme}: takes a path and nothing else",
    "write {scheme}:PATH, and put a passphrase into CLEARANCE_PASSPHRASE",
)
FOREIGN_KEY = ErrorKind(
    "trust.foreign_key",
    ConfigurationError,
    "{path} holds key {keyid}…, which may not sign here now",
    "use a key of your own that policies/roles.yaml lists, or for the root one of the root's keys",
)
NO_PASSPHRASE = ErrorKind(
    "trust.no_passphrase",
    ConfigurationError,
    "the signer needs its {name}",
    "set CLEARANCE_PASSPHRASE in the environment",
)

# The roles file

ROLES_NOT_READABLE = ErrorKind(
    "trust.roles_not_readable", ConfigurationError, "{file} cannot be read ({why})", "restore {file}"
)
ROLES_NOT_YAML = ErrorKind(
    "trust.roles_not_yaml", ConfigurationError, "{file} is not readable YAML: {why}", "fix the line it names"
)
INVALID_ROLES = ErrorKind("trust.invalid_roles", ConfigurationError, "{file}: {why}", _CORRECT_ROLES)
SHARED_KEY = ErrorKind(
    "trust.shared_key",
    ConfigurationError,
    "{file}: {first} and {second} have the same public key ({keyid}…)",
    "give each person a key of their own, and list it once",
)
ROLES_CHANGED = ErrorKind(
    "trust.roles_changed",
    IntegrityError,
    "{file} is not what the root signed",
    "undo the change, or have the root sign it",
)
ROLES_OUTDATED = ErrorKind(
    "trust.roles_outdated",
    IntegrityError,
    "{file} is version {version}, but version {trusted} was already in force",
    "restore the newest file and its signature: an old one could give back rights that were removed",
)
ROLES_FORKED = ErrorKind(
    "trust.roles_forked",
    IntegrityError,
    "a different {file} was already in force as version {version}",
    "have the root sign this one as the next version, and ask its holders why there are two",
)
NOT_A_ROLES_SIGNATURE = ErrorKind(
    "trust.not_a_roles_signature",
    IntegrityError,
    "this envelope is not a signature of the roles file",
    _SIGN_AGAIN,
)
NOT_A_ROOT_KEY = ErrorKind(
    "trust.not_a_root_key",
    ConfigurationError,
    "key {keyid}… does not belong to the root",
    "sign with a key that root.json lists",
)

# The root

DEMO_ROOT = ErrorKind(
    "trust.demo_root",
    ConfigurationError,
    "{file} is not the demo's, but the pinned root is",
    "set CLEARANCE_ROOT to your own root, or put it at .clearance/root.json",
)
NOT_THE_DEMO = ErrorKind(
    "trust.not_the_demo",
    ConfigurationError,
    "demo keys work only with the demo's roles file and without a root of your own",
    "have your root sign a {file} without `demo: true`, or unset CLEARANCE_ROOT",
)
ROOT_OUTDATED = ErrorKind(
    "trust.root_outdated",
    IntegrityError,
    "root version {version} is pinned here, but version {trusted} was already in force",
    "adopt the newer root: `clearance root adopt FILE`",
)
ROOT_NOT_READABLE = ErrorKind(
    "trust.root_not_readable",
    ConfigurationError,
    "the pinned root {path} cannot be read ({why})",
    "get root.json from the holders of your root in a way you trust, and set CLEARANCE_ROOT to it",
)
INVALID_ROOT = ErrorKind("trust.invalid_root", ConfigurationError, "the root is invalid: {why}", _ROOT_AGAIN)
REPEATED_ROOT_KEY = ErrorKind(
    "trust.repeated_root_key", ConfigurationError, "the root lists a key twice", _ROOT_AGAIN
)
IMPOSSIBLE_THRESHOLD = ErrorKind(
    "trust.impossible_threshold",
    ConfigurationError,
    "the root requires {threshold} signatures of {count} keys",
    _ROOT_AGAIN,
)
NOT_A_ROOT = ErrorKind(
    "trust.not_a_root",
    IntegrityError,
    "this envelope does not hold a new root",
    "make it with `clearance root propose`",
)
ROOT_OUT_OF_ORDER = ErrorKind(
    "trust.root_out_of_order",
    IntegrityError,
    "root version {version} does not follow version {current}",
    "adopt every new root in order",
)
TOO_FEW_SIGNATURES = ErrorKind(
    "trust.too_few_signatures",
    IntegrityError,
    "{count} of {threshold} signatures of the {whose} are present",
    "have other holders of the root sign it too",
)

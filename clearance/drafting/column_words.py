"""Words in the names of columns that say what they hold: outcomes, protected attributes, identifiers.

A name is a hint, never a proof: what rests on one is always said.
"""

from __future__ import annotations

import re

PROTECTED = {
    *("sex", "gender", "male", "female", "woman", "women", "man", "race", "ethnic", "ethnicity", "origin"),
    *("black", "white", "hispanic", "hispan", "asian", "nonwhite", "minority", "foreign", "foreigner"),
    *("nationality", "citizen", "citizenship", "religion", "relig", "catholic", "muslim", "disability"),
    *(
        "disabled",
        "handicap",
        "born",
        "birth",
        "yob",
        "age",
        "ages",
        "birthday",
        "birthdate",
        "dob",
        "pregnant",
        "orientation",
    ),
    *("geschlecht", "alter", "herkunft", "sexe", "genre", "edad", "sexo", "genero", "raza"),
}
"""Protected attributes, and usual encodings of them, in a few languages."""

OUTCOMES = (
    *("target", "label", "outcome", "class", "y", "decision", "approved", "approve", "accepted", "granted"),
    *("admitted", "admit", "hired", "hire", "invited", "selected", "promoted", "passed", "pass", "success"),
    *("eligible", "default", "defaulted", "rejected", "denied", "churn", "churned", "fraud", "bad", "good"),
    *("recid", "risk", "employed", "income", "survived", "result", "status", "diagnosis"),
)
"""Outcomes, the likeliest first."""

UNFAVOURABLE = {
    *("default", "defaulted", "rejected", "reject", "denied", "deny", "churn", "churned", "fraud", "bad"),
    *("recid", "recidivism", "arrest", "arrested", "dropout", "died", "death", "failed", "fail", "loss"),
    *("unemployed", "late", "overdue", "abuse", "risk"),
}
"""Outcomes of which 1 is probably bad for the person."""

GOOD_VALUES = (
    *("yes", "y", "true", "approved", "accepted", "granted", "admitted", "hired", "invited", "selected"),
    *("pass", "passed", "good", "success", "positive", "ja", "oui", "si", "1"),
)
BAD_VALUES = {
    *("no", "n", "false", "rejected", "denied", "refused", "declined", "fail", "failed", "bad", "negative"),
    *("nein", "non", "0", "default", "charged off"),
}

NAMES_SOMEBODY = {
    *("id", "ids", "uuid", "guid", "ssn", "email", "iban", "account", "applicant", "customer", "client"),
    *("person", "case", "surname", "firstname", "lastname"),
}
"""What identifies a person or a company, even where it repeats."""

AFTER_OUTCOME = {
    *("outcome", "decision", "decided", "result", "action", "reason", "approved", "rejected", "denied"),
    *("granted", "status", "closed", "closure", "paid", "repaid", "default", "defaulted", "recovery"),
    *("recovered", "chargeoff", "disbursed", "issued", "offer", "salary", "hired", "start", "end", "final"),
    *("reviewed", "reviewer", "days", "collection", "collections", "recoveries", "payments", "outstanding"),
    *("settlement", "settled"),
}
"""What is often known only with or after a decision."""

IDENTIFIERS = {
    *("id", "ids", "key", "uuid", "guid", "number", "no", "nr", "num", "code", "ref", "reference", "account"),
    *("index", "ssn", "email", "mail", "phone", "name", "surname", "firstname", "lastname", "iban"),
    *("applicant", "application", "customer", "client", "person", "case", "record", "row"),
}
"""Columns that name a row or a person."""

PERSONS = {
    *("name", "names", "fullname", "surname", "forename", "firstname", "lastname", "middlename", "givenname"),
    *("familyname", "maidenname", "nickname", "username", "applicantname", "candidatename", "customername"),
    *("clientname", "employeename", "personname", "patientname", "studentname", "borrowername"),
    *("vorname", "nachname", "familienname", "nom", "prenom", "prénom", "nombre", "nombres", "apellido"),
    *("apellidos", "cognome", "naam", "voornaam", "achternaam"),
    *(
        "email",
        "emails",
        "emailaddress",
        "mail",
        "mailaddress",
        "phone",
        "phonenumber",
        "telephone",
        "mobile",
    ),
    *(
        "telefon",
        "telefonnummer",
        "handy",
        "ssn",
        "iban",
        "address",
        "street",
        "adresse",
        "strasse",
        "straße",
    ),
}
"""Names of columns that hold a person's name, or how to reach the person."""

_FLAGS = {"phone", "phonenumber", "telephone", "mobile", "telefon", "handy", "address", "adresse", "mail"}
_AMBIGUOUS = {"name", "names", "mobile", "mail", "address", "street", "nom", "nome", "handy"}
"""Words that say nothing as a part of a longer name: `product_name`, `address_type`."""

WEIGHTS = {
    *("weight", "weights", "wgt", "wt", "wts", "fnlwgt", "finalwgt", "finalweight", "pweight", "aweight"),
    *("fweight", "iweight", "perwt", "hhwt", "popwt", "pwgtp", "wgtp", "asecwt", "sampleweight"),
    *("samplingweight", "hochrechnungsfaktor"),
}
"""Usual names of sampling weights."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def words(name: str) -> list[str]:
    """The words of a column's name, in lower case: `applicantID` and `applicant_id` give the same two."""
    return [word for word in re.split(r"[^0-9A-Za-zÀ-ÿ]+", _CAMEL.sub("_", name).lower()) if word]


def mentions(name: str, vocabulary: set[str]) -> bool:
    """Whether a word of the name, or all of it, is in the vocabulary."""
    parts = words(name)
    return bool(vocabulary & {*parts, "".join(parts)}) or bool(
        vocabulary & {part.rstrip("0123456789") for part in parts}
    )


def names_persons(name: str, distinct: int) -> bool:
    """Whether a column of texts with this name and number of values holds names, addresses or numbers of
    persons.

    With two values, `has_email` and `telephone` are flags; `Name` and `email` are none.
    """
    parts = words(name)
    whole = "".join(parts)
    if whole in PERSONS and (distinct > 2 or not _FLAGS & {whole}):
        return True
    return distinct > 2 and bool((PERSONS - _AMBIGUOUS) & {*parts})

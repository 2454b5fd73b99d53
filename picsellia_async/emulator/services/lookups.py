"""What the path and the query of a request name: look-ups that end in a 404 or 403 where the caller gets nothing."""

from __future__ import annotations

from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import forbidden, not_found
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.store.documents import Document


def in_path(state: State, call: Call, kind: str, name: str = "") -> Document:
    """Return the document that the path names, `{kind}_id` unless told otherwise.

    Raises:
        Refusal: 404, there is none; 403, it belongs to another organization.
    """
    return state.document(call, kind, call.id(name or f"{kind}_id", kind))


def organization_in_path(state: State, call: Call) -> Document:
    """Return the organization of the path.

    Raises:
        Refusal: 404, there is none; 403, the user does not belong to it.
    """
    organization = state.store.documents.get("organization", call.id("organization_id", "organization"))
    if organization["id"] != call.organization_id:
        raise forbidden("the user does not belong to this organization")
    return organization


def list_of_organization(state: State, call: Call, kind: str, **facts: object) -> list[Document]:
    """Return the documents of the path's organization, in the order of their creation.

    Raises:
        Refusal: 404, there is no such organization; 403, the user does not belong to it.
    """
    organization = organization_in_path(state, call)
    return state.store.documents.list(kind, organization_id=organization["id"], **facts)


def find(state: State, call: Call, kind: str, key: str, value: str) -> Document:
    """Return the document of the path's organization that has a value.

    Raises:
        Refusal: 404, there is none, or no such organization; 403, the user does not belong to it.
    """
    organization = organization_in_path(state, call)
    found = state.store.documents.find(kind, organization_id=organization["id"], **{key: value})
    if found is None:
        raise not_found(kind.replace("_", " "), value)
    return found

"""Signed tokens: the JWTs of the monitoring and serving hosts, and the signatures of presigned URLs."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable
from typing import Final

import attrs
import jwt

from picsellia_async.emulator.refusal import Refusal, forbidden, unauthorized

_ALGORITHM: Final = "HS256"
_CACHE_MAX: Final = 10_000
"""Verified tokens remembered; a test that signs in more often pays for the signature again, nothing else."""


@attrs.frozen
class Claims:
    """What a JWT says."""

    service: str
    """`oracle` or `serving`."""
    deployment_id: str
    """Deployment that it was issued for."""
    user_id: str
    """User whose api token it was issued for."""
    expires_at: float
    """Epoch seconds."""
    generation: int
    """Which `Tokens.generation` it belongs to."""


@attrs.define
class Tokens:
    """Issues and verifies the JWTs of one emulator."""

    secret: bytes = attrs.field(repr=False)
    """Key of the signatures; kept in the data directory, so that tokens outlive a restart."""
    lifetime: int
    """Seconds that a JWT lives."""
    clock: Callable[[], float]
    """Epoch seconds."""
    generation: int = 0
    """JWTs of an earlier generation are void."""
    _verified: dict[str, Claims] = attrs.field(factory=dict, init=False, repr=False)

    def issue(self, service: str, deployment_id: str, user_id: str) -> tuple[str, int]:
        """Return a new JWT and its lifetime in seconds."""
        claims = {
            "jti": uuid.uuid4().hex,
            "svc": service,
            "sub": user_id,
            "dep": deployment_id,
            "gen": self.generation,
            "exp": self.clock() + self.lifetime,
        }
        return jwt.encode(claims, self.secret, algorithm=_ALGORITHM), self.lifetime

    def verify(self, token: str, service: str, deployment_id: str | None) -> Claims:
        """Return what a JWT says.

        Args:
            token: The JWT.
            service: Service that was called.
            deployment_id: Deployment of the path; None where the path names none.

        Raises:
            Refusal: 401, it is no JWT of ours, expired, revoked or of the other service; 403, of another deployment.
        """
        claims = self._verified.get(token) or self._read(token)
        if claims.service != service:
            raise unauthorized(f"the JWT is not for {service}")
        if claims.generation != self.generation or claims.expires_at <= self.clock():
            raise unauthorized("the JWT has expired")
        if deployment_id is not None and claims.deployment_id != deployment_id:
            raise forbidden("the JWT is for another deployment")  # assumed: docs/wire.md knows no status for this
        return claims

    def _read(self, token: str) -> Claims:
        try:
            # The clock may be a test's, so the expiry is compared above.
            body = jwt.decode(token, self.secret, [_ALGORITHM], options={"verify_exp": False})
            claims = Claims(body["svc"], body["dep"], body["sub"], body["exp"], body["gen"])
        except (jwt.InvalidTokenError, KeyError):
            raise unauthorized("the token is not valid for this service") from None
        if len(self._verified) >= _CACHE_MAX:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def expire(self) -> None:
        """Make every JWT issued so far void."""
        self.generation += 1
        self._verified.clear()

    def sign(self, *facts: object) -> str:
        """Return the signature of a presigned URL over what it allows."""
        return hmac.new(self.secret, repr(facts).encode(), hashlib.sha256).hexdigest()

    def check_signature(self, signature: str, expires: str, *facts: object) -> None:
        """Refuse a presigned URL that was changed or is too old.

        Raises:
            Refusal: 403, as object storages do.
        """
        if not hmac.compare_digest(self.sign(*facts, expires).encode(), signature.encode()):
            raise Refusal(403, "the signature does not match")
        if float(expires) <= self.clock():
            raise Refusal(403, "the URL has expired")

"""What looks like a secret: the shapes that services give their tokens, and what stands behind a telling name.

Each shape: what must be true of every text in which it finds something, the pattern, and what is shown instead. What
is quickly seen comes first: a megabyte of code takes a third of the time so, and nobody else is served
meanwhile.
Each takes time in proportion to the text, whatever a stranger makes of it: what may fail after a long run of
characters is bounded, or does not begin again within that run. The group `keep` is no part of the secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable

BLACK = "[redacted]"

_TOKENS = (
    r"gh[oprsu]_[A-Za-z0-9_.-]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas)-[A-Za-z0-9_.-]{18,}",
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}",
    r"xapp-[A-Za-z0-9-]{10,}",
    r"xwfp-[A-Za-z0-9-]{10,}",
    r"sk-(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{20,}",
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    r"AIza[0-9A-Za-z_-]{35}",
    r"GOCSPX-[A-Za-z0-9_-]{20,}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"gsk_[A-Za-z0-9]{40,}",
    r"xai-[A-Za-z0-9]{40,}",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"dop_v1_[a-f0-9]{40,}",
    r"dckr_pat_[A-Za-z0-9_-]{20,}",
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    r"hv[sb]\.[A-Za-z0-9_-]{24,}",
    r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",
    r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}",
    r"ntn_[A-Za-z0-9]{40,}",
    r"dapi[a-f0-9]{32}",
    r"ATATT3[A-Za-z0-9_=-]{60,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    r"eyJ[A-Za-z0-9_-]{10,2000}+\.eyJ[A-Za-z0-9_.-]{20,}",
)

_BEGINNINGS = (
    *("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glft-"),
    *("glsoat-", "glimt-", "glagent-", "gloas-", "xox", "xapp-", "xwfp-", "sk-", "k_live_", "k_test_", "whsec_"),
    *(
        "AKIA",
        "ASIA",
        "AIza",
        "GOCSPX-",
        "ya29.",
        "npm_",
        "pypi-",
        "hf_",
        "gsk_",
        "xai-",
        "SG.",
        "dop_v1_",
        "dckr_pat_",
    ),
    *("shpat_", "shpca_", "shppa_", "shpss_", "hvs.", "hvb.", "glsa_", "lin_api_", "lin_oauth_", "ntn_", "dapi"),
    *("ATATT3", "AGE-SECRET-KEY-1", "eyJ"),
)
"""One of these stands in whatever _TOKENS find."""

_NAMES = (
    r"pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|account[_-]?key"
)
_VALUE = r"(?=[A-Za-z_+/=-]{0,80}\d)(?=[\d_+/=-]{0,80}[A-Za-z])[A-Za-z0-9_+/=-]{20,512}"


def _any_of(*signs: str) -> Callable[[str], object]:
    return lambda text: any(sign in text for sign in signs)


def _names_one(text: str) -> object:
    return _ASSIGNED_SIGN.search(text)


_ASSIGNED_SIGN = re.compile(r"(?i:key|token|secret|pass\w{0,6})['\"]?\s{0,3}[:=]")

SHAPES: tuple[tuple[Callable[[str], object], re.Pattern[str], str], ...] = (
    (_any_of(*_BEGINNINGS), re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_TOKENS)})"), BLACK),
    # Telegram: the bot's id, a colon, 35 characters; in an address it follows `/bot`.
    (
        re.compile(r":[A-Za-z0-9_-]{30}").search,
        re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"),
        BLACK,
    ),
    (_any_of("/bot"), re.compile(r"(?P<keep>/bot)\d+:[A-Za-z0-9_-]+"), rf"\g<keep>{BLACK}"),
    # Slack and Discord: who knows the address may post.
    (
        _any_of("hooks.slack.com/", "/api/webhooks/"),
        re.compile(
            r"(?P<keep>hooks\.slack\.com/(?:services|workflows|triggers)/|/api/webhooks/)[A-Za-z0-9/_-]{20,300}"
        ),
        rf"\g<keep>{BLACK}",
    ),
    # Discord: an id in Base64, a time, a signature.
    (
        re.compile(r"[A-Za-z0-9_-]{23}\.[A-Za-z0-9_-]{6}\.").search,
        re.compile(r"(?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}(?![\w-])"),
        BLACK,
    ),
    (
        lambda text: "authorization" in text.lower(),
        re.compile(r"(?i)(?P<keep>\bauthorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer|token)\s+)[^\s'\"]+"),
        rf"\g<keep>{BLACK}",
    ),
    (_any_of("://"), re.compile(r"(?<=://)(?P<keep>[^\s/:@\"']{0,200}:)[^\s/@\"']{1,500}(?=@)"), rf"\g<keep>{BLACK}"),
    (
        _any_of("PRIVATE KEY-----"),
        re.compile(
            r"-----BEGIN ([A-Z ]{0,30})PRIVATE KEY-----(?:(?!-----BEGIN ).){0,20000}?-----END \1PRIVATE KEY-----",
            re.DOTALL,
        ),
        BLACK,
    ),
    # `aws_secret_access_key = …`, `"api_key": "…"`, `AccountKey=…`: letters and digits, and no other name behind it.
    (
        _names_one,
        re.compile(rf"(?i)(?P<keep>(?:{_NAMES})['\"]?\s{{0,3}}[:=]\s{{0,3}}['\"]?){_VALUE}(?![\w.(\[+/-])"),
        rf"\g<keep>{BLACK}",
    ),
)

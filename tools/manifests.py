"""What Kubernetes manifests of ours must keep: rules over plain data, each with a code.

They judge what a file says, not what a cluster does with it: no admission, quota or network plugin is asked.
What a rule does not know, such as another kind of object or of volume, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

WORKLOADS = {
    "Deployment": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the pod of each kind of workload is."""
WORKFLOWS = {"WorkflowTemplate": ("spec",), "CronWorkflow": ("spec", "workflowSpec")}
"""Where an Argo object keeps what a pod keeps in its `spec`; its containers are in `templates`."""
KINDS = frozenset(
    {
        *WORKLOADS,
        *WORKFLOWS,
        *("ConfigMap", "Namespace", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget"),
        *("Role", "RoleBinding", "Service", "ServiceAccount"),
    }
)
VOLUMES = frozenset({"configMap", "emptyDir", "persistentVolumeClaim", "secret"})
READING = frozenset({"get", "list", "watch"})
SCALING = frozenset({"get", "patch", "update"})
HIGHEST_DEADLINE = 86_400
"""Seconds after which a job must have ended, so that it never blocks the next day's."""
LOWEST_USER = 10_000

_SECRET_NAME = re.compile(
    r"(?:password|passwd|passphrase|secret|token|api_?key|credential|auth_string|private_?key|access_?key)",
    re.I,
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\bpassword=|\bclk_\w{8}", re.I
)
_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "m": 1e-3}


@dataclass(frozen=True, order=True)
class Finding:
    """A rule that an object breaks: the rule's code, the object as `Kind/name`, and what is wrong."""

    code: str
    subject: str
    fault: str

    def __str__(self) -> str:
        """The finding in one line."""
        return f"{self.subject}: {self.fault} [{self.code}]"


@dataclass(frozen=True, kw_only=True)
class _Pod:
    """A pod's `spec`, with its containers, wherever they were written."""

    spec: Manifest
    containers: Sequence[Manifest]
    is_server: bool


def findings(manifests: Sequence[Manifest], *, digests: bool) -> list[Finding]:
    """Every rule that these manifests of one installation break, sorted; none where they keep all of them.

    `digests`: whether an image must be named by its digest. Otherwise a tag will do that is not `latest`.
    """
    faults = [
        Finding(code, _name(manifest), fault)
        for manifest in manifests
        for code, fault in _of_one(manifest, digests=digests)
    ]
    faults += [Finding(code, "installation", fault) for code, fault in _of_all(manifests)]
    return sorted(set(faults))


def _name(manifest: Manifest) -> str:
    metadata = manifest.get("metadata") or {}
    return f"{manifest.get('kind')}/{metadata.get('name') or metadata.get('generateName')}"


Faults = Iterator[tuple[str, str]]


def _of_one(manifest: Manifest, *, digests: bool) -> Faults:
    kind = manifest.get("kind")
    if kind not in KINDS:
        yield "object.kind", f"{kind} is not a kind of object that is known here"
        return
    if kind in WORKLOADS or kind in WORKFLOWS:
        for pod in _pods(manifest):
            yield from _pod(pod)
            for container in pod.containers:
                yield from _container(container, pod, digests=digests)
    checks = {
        "ConfigMap": _config_map,
        "CronJob": _cron_job,
        "CronWorkflow": _cron_workflow,
        "Namespace": _namespace,
        "NetworkPolicy": _network_policy,
        "Role": _role,
        "RoleBinding": _binding,
        "Service": _service,
        "ServiceAccount": _account,
        "WorkflowTemplate": _workflow,
    }
    if kind in checks:
        yield from checks[kind](manifest)


def _of_all(manifests: Sequence[Manifest]) -> Faults:
    """What no single object shows: each namespace is restricted, and denies what no policy names."""
    if all(manifest.get("kind") in WORKFLOWS for manifest in manifests):
        return  # added to an installation that is checked by itself
    namespaces = {
        manifest["metadata"]["name"] for manifest in manifests if manifest.get("kind") == "Namespace"
    }
    spaces = {
        (manifest.get("metadata") or {}).get("namespace")
        for manifest in manifests
        if manifest.get("kind") != "Namespace"
    }
    for space in sorted(str(space) for space in spaces - namespaces):
        yield "namespace.missing", f"namespace {space} is not declared, so it need not be restricted"
    closed_spaces = {manifest["metadata"].get("namespace") for manifest in manifests if _denies_all(manifest)}
    for space in sorted(str(space) for space in spaces - closed_spaces):
        yield "network.default", f"namespace {space} has no policy that denies everything by default"


def _denies_all(manifest: Manifest) -> bool:
    spec = manifest.get("spec") or {}
    return (
        manifest.get("kind") == "NetworkPolicy"
        and spec.get("podSelector") == {}
        and set(spec.get("policyTypes", ())) == {"Ingress", "Egress"}
        and not spec.get("ingress")
        and not spec.get("egress")
    )


def _at(manifest: Manifest, path: Sequence[str]) -> Manifest:
    for key in path:
        manifest = manifest.get(key) or {}
    return manifest


def _pods(manifest: Manifest) -> Iterator[_Pod]:
    kind = manifest["kind"]
    if kind in WORKLOADS:
        spec = _at(manifest, WORKLOADS[kind])
        inner = [*spec.get("initContainers", ()), *spec.get("containers", ())]
        if spec.get("ephemeralContainers"):
            inner += spec["ephemeralContainers"]
        yield _Pod(spec=spec, containers=inner, is_server=kind == "Deployment")
    elif spec := _at(manifest, WORKFLOWS[kind]):
        if "workflowTemplateRef" in spec:
            return
        templates = spec.get("templates", ())
        inner = [
            template[key] for template in templates for key in ("container", "script") if key in template
        ]
        inner += [item for template in templates for item in template.get("initContainers", ())]
        inner += [item for template in templates for item in template.get("sidecars", ())]
        yield _Pod(spec=spec, containers=inner, is_server=False)


def _pod(pod: _Pod) -> Faults:
    spec, context = pod.spec, pod.spec.get("securityContext") or {}
    for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(key):
            yield "pod.host", f"{key} is on"
    for key in ("hostAliases", "nodeName"):
        if key in spec:
            yield "pod.host", f"{key} is set"
    if spec.get("serviceAccountName") in {None, "", "default"}:
        yield "pod.account", "the pod has no account of its own"
    if spec.get("automountServiceAccountToken") is not False:
        yield "pod.token", "a token of the API server is mounted"
    yield from _user(context, required=True)
    if (context.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield "pod.seccomp", "the seccomp profile is not RuntimeDefault"
    if context.get("sysctls"):
        yield "pod.sysctls", "kernel parameters are set"
    if not pod.containers:
        yield "pod.containers", "there is no container"
    for volume in spec.get("volumes", ()):
        yield from _volume(volume, spec.get("serviceAccountName"))


def _user(context: Manifest, *, required: bool) -> Faults:
    if context.get("runAsNonRoot", None if required else True) is not True:
        yield "pod.root", "runAsNonRoot is not true"
    for key in ("runAsUser", "runAsGroup"):
        value = context.get(key, None if required else LOWEST_USER)
        if not isinstance(value, int) or value < LOWEST_USER:
            yield "pod.root", f"{key} is not a number from {LOWEST_USER} on"


def _volume(volume: Manifest, account: object) -> Faults:
    kinds = set(volume) - {"name"}
    if len(kinds) != 1 or not kinds <= VOLUMES:
        yield (
            "pod.volume",
            f"volume {volume.get('name')} is of another kind than {', '.join(sorted(VOLUMES))}",
        )
    if "emptyDir" in kinds and "sizeLimit" not in (volume["emptyDir"] or {}):
        yield "pod.volume", f"volume {volume.get('name')} has no size limit"
    if "secret" in kinds:
        name = (volume["secret"] or {}).get("secretName")
        if name not in {account, f"{account}-tls"}:
            yield "pod.secret", f"account {account} mounts the secret {name} of another"
        if int((volume["secret"] or {}).get("defaultMode", 0o644)) & 0o337:
            yield "pod.secret", f"secret {name} is readable by more than owner and group"


def _container(container: Manifest, pod: _Pod, *, digests: bool) -> Faults:
    name, context = container.get("name"), container.get("securityContext") or {}
    if context.get("privileged"):
        yield "container.privileged", f"{name} is privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "container.escalation", f"{name} may gain privileges"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "container.root_filesystem", f"{name} can write to its root file system"
    capabilities = context.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "container.capabilities", f"{name} keeps or adds capabilities"
    yield from _user(context, required=False)
    if (context.get("seccompProfile") or {"type": "RuntimeDefault"}).get("type") != "RuntimeDefault":
        yield "pod.seccomp", f"the seccomp profile of {name} is not RuntimeDefault"
    if context.get("procMount", "Default") != "Default":
        yield "container.proc", f"{name} sees an unmasked /proc"
    yield from _image(str(container.get("image") or ""), digests=digests)
    yield from _resources(container.get("resources") or {}, name)
    yield from _environment(container)
    for port in container.get("ports", ()):
        if "hostPort" in port:
            yield "pod.host", f"{name} takes a port of the node"
    for mount in container.get("volumeMounts", ()):
        if mount.get("mountPropagation", "None") != "None":
            yield "container.mount", f"{name} shares its mounts with the node"
    if container.get("volumeDevices"):
        yield "container.mount", f"{name} has a raw device"
    if pod.is_server and container in pod.spec.get("containers", ()):
        yield from _probes(container)


def _image(image: str, *, digests: bool) -> Faults:
    rest, _, digest = image.partition("@")
    tag = rest.rpartition("/")[2].partition(":")[2]
    if re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return
    if digests or digest or tag in {"", "latest"}:
        yield "container.image", f"image {image or '(none)'} is not named by what it is"


def _resources(resources: Manifest, name: object) -> Faults:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for kind in ("cpu", "memory"):
        request, limit = _quantity(requests.get(kind)), _quantity(limits.get(kind))
        if request is None or limit is None:
            yield "container.resources", f"{name} has no {kind} request or limit"
        elif request > limit:
            yield "container.resources", f"{name} requests more {kind} than its limit"


def _quantity(value: object) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", str(value))
    if match is None or match[2] not in _UNITS or not float(match[1]):
        return None
    return float(match[1]) * _UNITS[match[2]]


def holds_secret(name: str, value: object) -> bool:
    """Whether a value is a secret by its looks, or by its name; the path of a file is not one."""
    text = str(value or "")
    is_path = re.fullmatch(r"(?:file2:)?/[\w./-]+", text) is not None
    return bool(_SECRET_VALUE.search(text) or (_SECRET_NAME.search(name) and text and not is_path))


def _environment(container: Manifest) -> Faults:
    """No secret in a variable or an argument: processes inherit the one, and everybody reads the other."""
    for variable in container.get("env", ()):
        name, source = str(variable.get("name")), variable.get("valueFrom") or {}
        if "secretKeyRef" in source:
            yield "container.secret", f"variable {name} holds a secret; mount it as a file"
        if name == "CLEARANCE_IMAGE" and variable.get("value") != container.get("image"):
            yield "container.evidence", "the evidence would name another image than the one that runs"
        if holds_secret(name, variable.get("value", "")):
            yield "container.secret", f"variable {name} holds a secret in plain text"
    for source in container.get("envFrom", ()):
        if "secretRef" in source:
            yield "container.secret", "variables come from a secret; mount it as a file"
    words = [*container.get("command", ()), *container.get("args", ())]
    if any(_SECRET_VALUE.search(str(word)) for word in words):
        yield "container.secret", "an argument holds a secret in plain text"


def _probes(container: Manifest) -> Faults:
    name = container.get("name")
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        if not container.get(kind):
            yield "container.probe", f"{name} has no {kind}"
    path = ((container.get("readinessProbe") or {}).get("httpGet") or {}).get("path")
    if name == "server" and path != "/readyz":
        yield "container.probe", f"{name} is ready without having said that it could decide"


def _config_map(manifest: Manifest) -> Faults:
    if manifest.get("binaryData"):
        yield "config.secret", "it holds data that cannot be checked"
    for key, value in (manifest.get("data") or {}).items():
        if holds_secret(key, value):
            yield "config.secret", f"{key} holds a secret in plain text"


def _cron_job(manifest: Manifest) -> Faults:
    spec = manifest.get("spec") or {}
    job = _at(spec, ("jobTemplate", "spec"))
    if spec.get("concurrencyPolicy") != "Forbid":
        yield "job.concurrency", "two runs may overlap"
    if not isinstance(spec.get("startingDeadlineSeconds"), int):
        yield "job.start", "a missed start has no deadline, and after 100 of them nothing starts any more"
    yield from _deadline(job)
    if job.get("backoffLimit") != 0 or _at(job, ("template", "spec")).get("restartPolicy") != "Never":
        yield "job.retry", "a run that failed starts again by itself"


def _deadline(spec: Manifest) -> Faults:
    deadline = spec.get("activeDeadlineSeconds")
    if not isinstance(deadline, int) or not 0 < deadline < HIGHEST_DEADLINE:
        yield "job.deadline", "a run that hangs blocks the next one"


def _workflow(manifest: Manifest) -> Faults:
    yield from _deadline(manifest.get("spec") or {})


def _cron_workflow(manifest: Manifest) -> Faults:
    spec = manifest.get("spec") or {}
    if spec.get("concurrencyPolicy") != "Forbid":
        yield "job.concurrency", "two runs may overlap"
    if not isinstance(spec.get("startingDeadlineSeconds"), int):
        yield "job.start", "a missed start has no deadline"
    yield from _deadline(_at(spec, ("workflowSpec",)))


def _namespace(manifest: Manifest) -> Faults:
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "namespace.security", "the restricted Pod Security Standard is not enforced"


def _network_policy(manifest: Manifest) -> Faults:
    spec = manifest.get("spec") or {}
    for rules, side in (("ingress", "from"), ("egress", "to")):
        if rules in spec and rules.capitalize() not in spec.get("policyTypes", ()):
            yield "network.types", f"{rules} rules count for nothing without the type"
        for rule in spec.get(rules, ()):
            if not rule.get(side):
                yield "network.open", f"an {rules} rule names nobody, which means everybody"
            if not rule.get("ports") or any("port" not in port for port in rule["ports"]):
                yield "network.open", f"an {rules} rule names no port, which means every port"
            if any("endPort" in port for port in rule.get("ports") or ()):
                yield "network.open", f"an {rules} rule names a range of ports"
            for peer in rule.get(side) or ():
                yield from _peer(peer, rules)


def _peer(peer: Manifest, rules: str) -> Faults:
    if not peer or any(not selector for selector in peer.values()):
        yield "network.open", f"an empty selector of an {rules} rule means everybody"
    if str((peer.get("ipBlock") or {}).get("cidr", "/32")).partition("/")[2] in {"0", ""}:
        yield "network.open", f"an {rules} rule names every address"


def _role(manifest: Manifest) -> Faults:
    for rule in manifest.get("rules") or ():
        words = [*rule.get("verbs", ()), *rule.get("resources", ()), *rule.get("apiGroups", ())]
        if any("*" in word for word in words) or rule.get("nonResourceURLs"):
            yield "role.wildcard", "a rule has a wildcard"
        if any(resource.partition("/")[0] == "secrets" for resource in rule.get("resources", ())):
            yield "role.secret", "a rule allows to read or write secrets through the API"
        scales = rule.get("resources") == ["deployments/scale"] and rule.get("resourceNames")
        verbs = SCALING if scales else READING
        if not set(rule.get("verbs", ())) <= verbs:
            yield "role.write", f"a rule allows more than {', '.join(sorted(verbs))}"
        unsafe = (
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "pods/proxy",
            "services/proxy",
            "nodes/proxy",
        )
        if any(resource in unsafe for resource in rule.get("resources", ())):
            yield "role.write", "a rule allows to run commands in a pod or to reach it"


def _binding(manifest: Manifest) -> Faults:
    reference, name = manifest.get("roleRef") or {}, (manifest.get("metadata") or {}).get("name")
    if reference.get("kind") != "Role":
        yield "role.cluster", "it binds a role of the whole cluster"
    for subject in manifest.get("subjects") or ():
        if subject.get("kind") == "ServiceAccount" and subject.get("name") != reference.get("name"):
            yield (
                "role.subject",
                f"account {subject.get('name')} has the role {reference.get('name')} of another",
            )
        if subject.get("kind") == "Group" and not str(subject.get("name")).startswith("clearance:"):
            yield "role.subject", f"group {subject.get('name')} is not one of ours"
        if subject.get("kind") == "User":
            yield "role.subject", "a single person is bound; bind a group"
    if name != reference.get("name"):
        yield "role.subject", "a binding has the name of its role"


def _service(manifest: Manifest) -> Faults:
    spec = manifest.get("spec") or {}
    if spec.get("type", "ClusterIP") != "ClusterIP" or spec.get("externalIPs"):
        yield "service.outside", "it can be reached from outside the cluster"


def _account(manifest: Manifest) -> Faults:
    if manifest.get("automountServiceAccountToken") is not False:
        yield "pod.token", "a token of the API server is mounted into its pods"
    if manifest.get("secrets"):
        yield "pod.secret", "the account has a token that never ends"

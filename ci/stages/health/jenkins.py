"""What a Jenkins lacks for this project's Jenkinsfile, judged by what it said."""

import fnmatch
import math
import re
from collections.abc import Iterator

from ...config import Project
from ...settings import FILE as SETTINGS
from ...tools.jenkins_facts import JenkinsFacts, Job
from ...tools.jenkinsfile import FILE, Wanted
from . import Check, check, unseen, version_of

RAN_ON = "2.540"
MAX_SKEW_S = 60.0
ALWAYS = ("git", "pipeline-model-definition", "workflow-basic-steps", "workflow-multibranch")
STEPS = {  # a word of the Jenkinsfile → the plugin that gives it
    "credentials": "credentials-binding",
    "input": "pipeline-input-step",
    "junit": "junit",
    "lock": "lockable-resources",
    "milestone": "pipeline-milestone-step",
    "publishHTML": "htmlpublisher",
    "recordCoverage": "coverage",
    "recordIssues": "warnings-ng",
    "timestamps": "timestamper",
    "withCredentials": "credentials-binding",
}
RAN = {  # the versions that the Jenkinsfile's constructs ran with
    "git": "5.8.1",
    "htmlpublisher": "427",
    "junit": "1380",
    "lockable-resources": "1539",
    "pipeline-model-definition": "2.2277",
    "workflow-basic-steps": "1098",
}
CLIENT = "pipeline-rest-api"  # what `slipway jenkins` follows stages by
ADMIN = "ask an administrator, or look with an administrator's token"
POLICY = ("sandbox", "default-src 'none'")


def judge(project: Project, facts: JenkinsFacts, wanted: Wanted | None) -> Iterator[Check]:
    """One check for each thing that a delivery needs of its Jenkins."""
    yield from _controller(facts)
    if wanted is None:
        todo = f"write one; slipway's own {FILE} is a start"
        yield Check("jenkins", FILE, "warn", "none in this checkout", "what is to run", todo)
        wanted = Wanted((), (), (), (), frozenset(), chosen=False)
    yield from _plugins(facts, wanted)
    yield from _agents(project, facts, wanted)
    yield from _named(facts, wanted)
    yield from _people(project, facts, wanted)
    yield from _job(project, facts)


def _controller(facts: JenkinsFacts) -> Iterator[Check]:
    section = "jenkins"
    yield check(
        section,
        "version",
        version_of(facts.version) >= version_of(RAN_ON),
        measured=facts.version,
        needed=f"{RAN_ON} or later: what is known of it was seen there",
        mend="update Jenkins, or try a delivery and watch it",
        otherwise="warn",
    )
    if not math.isnan(facts.skew_s):
        yield check(
            section,
            "clock",
            abs(facts.skew_s) <= MAX_SKEW_S,
            measured=f"{facts.skew_s:+.0f} s beside this machine's",
            needed=f"within {MAX_SKEW_S:.0f} s: approvals expire",
            mend="let both take their time from the network (NTP)",
            otherwise="warn",
        )
    yield check(
        section,
        "anonymous access",
        facts.anonymous != 200,
        measured=f"a stranger gets {facts.anonymous}",
        needed="403",
        mend="Manage Jenkins, Security: take the rights of Anonymous away",
    )
    yield check(
        section,
        "crumb issuer",
        facts.crumb,
        measured="there" if facts.crumb else "none",
        needed="there: without it any page can press a button in a user's name",
        mend="Manage Jenkins, Security: switch CSRF protection on",
    )
    yield _executors(facts)
    yield _policy(facts)


def _executors(facts: JenkinsFacts) -> Check:
    needed = "0: a build there could read every credential"
    if facts.executors is None:
        return unseen("jenkins", "executors of the controller", "not shown", needed, ADMIN)
    return check(
        "jenkins",
        "executors of the controller",
        facts.executors == 0,
        measured=str(facts.executors),
        needed=needed,
        mend="Manage Jenkins, Nodes, Built-In Node: set the number of executors to 0",
    )


def _policy(facts: JenkinsFacts) -> Check:
    needed = "Jenkins' own: pages are shown without script"
    if facts.csp is None:
        why, todo = "no file is served yet", "look again after the first build"
        return unseen("jenkins", "content security policy", why, needed, todo)
    return check(
        "jenkins",
        "content security policy",
        all(words in facts.csp for words in POLICY),
        measured=facts.csp or "none",
        needed=needed,
        mend="take the system property hudson.model.DirectoryBrowserSupport.CSP away",
    )


def _plugins(facts: JenkinsFacts, wanted: Wanted) -> Iterator[Check]:
    section, needed = "plugins", f"for this {FILE}"
    names = sorted({*ALWAYS, *(STEPS[word] for word in wanted.words if word in STEPS)})
    if facts.plugins is None:
        yield unseen(section, "plugins", "not shown to this user", ", ".join(names), ADMIN)
        return
    for name in names:
        there, ran = facts.plugins.get(name), RAN.get(name, "")
        if there is None:
            mend = f"Manage Jenkins, Plugins: install {name}"
            yield Check(section, name, "missing", "not active", needed, mend)
            continue
        yield check(
            section,
            name,
            not ran or version_of(there) >= version_of(ran),
            measured=there,
            needed=f"{ran} or later, which ran" if ran else needed,
            mend=f"Manage Jenkins, Plugins: update {name}",
            otherwise="warn",
        )
    yield check(
        section,
        CLIENT,
        CLIENT in facts.plugins,
        measured=facts.plugins.get(CLIENT, "not active"),
        needed="for 'slipway jenkins', which follows stages by it",
        mend=f"Manage Jenkins, Plugins: install {CLIENT}",
        otherwise="warn",
    )


def _agents(project: Project, facts: JenkinsFacts, wanted: Wanted) -> Iterator[Check]:
    labels = {*wanted.labels, *([project.config.model.train_on] if wanted.chosen else [])}
    if facts.agents is None:
        yield unseen("agents", "agents", "not shown to this user", ", ".join(sorted(labels)), ADMIN)
        return
    for label in sorted(labels):
        own = [one for one in facts.agents if label in (*one.labels, one.name)]
        online = [one.name for one in own if one.online]
        offline = ", ".join(f"{one.name} ({one.why})" for one in own if not one.online)
        mend = f"start {own[0].name}, and read its log" if own else f"add an agent labelled {label}"
        yield check(
            "agents",
            f"label {label}",
            bool(online),
            measured=", ".join(online) or (f"off-line: {offline}" if own else "no agent has it"),
            needed="an agent on-line",
            mend=mend,
        )


def _named(facts: JenkinsFacts, wanted: Wanted) -> Iterator[Check]:
    """What the Jenkinsfile calls by name: credentials, locks, people."""
    for name in wanted.credentials:
        if facts.credentials is None:
            yield unseen("names", f"credential {name}", "not shown to this user", "there", ADMIN)
            continue
        yield check(
            "names",
            f"credential {name}",
            name in facts.credentials,
            measured="there" if name in facts.credentials else "none of this id",
            needed="there, global",
            mend=f"Manage Jenkins, Credentials: add one with the id {name}",
        )
    for name in wanted.locks:
        if facts.resources is None:
            yield unseen("names", f"lock {name}", "not shown to this user", "declared", ADMIN)
            continue
        yield check(
            "names",
            f"lock {name}",
            name in facts.resources,
            measured="declared" if name in facts.resources else "not declared",
            needed="declared: else it exists during a build only, and nobody can reserve it",
            mend=f"Manage Jenkins, System, Lockable Resources: add {name}",
            otherwise="warn",
        )


def _people(project: Project, facts: JenkinsFacts, wanted: Wanted) -> Iterator[Check]:
    """Whoever may press the button: known to Jenkins, and on slipway's own list."""
    for name in wanted.submitters:
        known = facts.people.get(name, False)
        yield check(
            "names",
            f"submitter {name}",
            known,
            measured="there" if known else "no user of this id",
            needed="who may approve",
            mend=f"create the user {name}; if it is a group, look in your directory instead",
            otherwise="warn",
        )
        if known:  # slipway's list names persons; a group's members cannot be told from here
            listed = name in project.config.approval.approvers
            yield check(
                "names",
                f"approver {name}",
                listed,
                measured="listed" if listed else f"not listed in {SETTINGS}",
                needed="listed: slipway refuses whoever is not",
                mend=f"add {name} to [approval] approvers in {SETTINGS}, and commit it",
            )


def _job(project: Project, facts: JenkinsFacts) -> Iterator[Check]:
    job, section = facts.job, "job"
    if job is None and facts.job_status != 404:
        yield unseen(section, "job", f"status {facts.job_status}", "its settings", ADMIN)
        return
    mend = "create it: docker/jenkins/agent/create-job.sh does, from docker/jenkins/multibranch.xml"
    kind = job.kind.rpartition(".")[2] if job else "none that this user may see"
    multibranch = kind == "WorkflowMultiBranchProject"
    needed = "a multibranch pipeline"
    yield check(section, "job", multibranch, measured=kind, needed=needed, mend=mend)
    if job is None or not multibranch:
        return
    yield check(
        section,
        "script path",
        job.script == FILE,
        measured=job.script or "none",
        needed=FILE,
        mend=f"Configure, Build Configuration: set the script path to {FILE}",
    )
    built = builds(job, project.config.ledger.branch)
    yield check(
        section,
        "ledger's branch",
        not built,
        measured="built" if built else "left out",
        needed=f"{project.config.ledger.branch} left out",
        mend="Configure, Branch Sources: filter it by name, as docker/jenkins/multibranch.xml does",
    )
    yield check(
        section,
        "ledger's tags",
        not job.tags,
        measured="tags are discovered" if job.tags else "left out",
        needed="left out: each release writes tags",
        mend="Configure, Branch Sources: take 'Discover tags' away",
    )
    yield from _pushes(facts, job)


def builds(job: Job, name: str) -> bool:
    """Whether a branch of this name is built."""
    return all(_lets_in(one, name) for one in job.filters)


def _lets_in(one: tuple[str, str, str], name: str) -> bool:
    kind, let_in, kept_out = one
    if kind == "regex":
        try:
            return re.fullmatch(let_in, name) is not None
        except re.error:
            return True  # nobody here can tell: it counts as built
    matches = [any(fnmatch.fnmatchcase(name, p) for p in ps.split()) for ps in (let_in, kept_out)]
    return matches[0] and not matches[1]


def _pushes(facts: JenkinsFacts, job: Job) -> Iterator[Check]:
    there = facts.notify_status not in (0, 404)
    polls = f"it looks every {job.every_s / 60:.0f} min" if job.every_s else "it never looks"
    yield check(
        "job",
        "notices a push",
        bool(job.every_s),
        measured=polls,
        needed="looks by itself, in case a webhook is lost",
        mend="Configure, Scan Triggers: scan periodically, for example each 15 minutes",
        otherwise="warn" if there else "missing",
    )
    yield check(
        "job",
        "webhook",
        there,
        measured=f"git/notifyCommit answers {facts.notify_status}",
        needed="an address for the git server to call",
        mend="let your git server reach the Git plugin at git/notifyCommit, and call it",
        otherwise="warn",
    )

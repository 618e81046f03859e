//! What each code means, for whoever met it: one table, read by `wharf why` and printed as `docs/denials.md`.

use super::Code;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is the matter, in general; the text of the check says it of the case.
    pub meaning: &'static str,
    /// Why it is so: the rule that it comes from.
    pub rule: &'static str,
    /// Who may do it; nothing where nobody's permission is missing.
    pub who: Option<&'static str>,
    /// What to do next.
    pub next: &'static str,
}

impl Code {
    pub const fn explanation(self) -> Explanation {
        match self {
            Self::AuthorizedStage => Explanation {
                meaning: "The annotation kargo.akuity.io/authorized-stage is absent, can't be read, or names more than one Stage.",
                rule: "An Application whose source names the plugin wharfinger is rendered with the Freight of exactly one Stage, so it has to name exactly one, as PROJECT:STAGE.",
                who: None,
                next: "Set the annotation to one PROJECT:STAGE, where the Application is kept. Several, separated by commas, are for Applications without the plugin.",
            },
            Self::ClaimMissing => Explanation {
                meaning: "A source names the plugin wharfinger and does not say which assignment it renders.",
                rule: "What is rendered is written in the source, in the environment of the plugin: Argo CD looks at nothing else to see that something has changed.",
                who: None,
                next: "Nothing, as a rule: the webhook and the controller put the claim in. If it stays away, run wharf doctor.",
            },
            Self::ClaimMalformed => Explanation {
                meaning: "The claim in the environment of the plugin, or the object itself, can't be read.",
                rule: "A claim is written in one way only: WHARFINGER_STAGE=PROJECT:STAGE, WHARFINGER_FREIGHT=GENERATION-COLLECTION, each once.",
                who: None,
                next: "Leave both variables out of what you write. Of an object that can't be read, mend the field that the text names.",
            },
            Self::ClaimStage => Explanation {
                meaning: "The source claims Freight of one Stage, and the Application belongs to another.",
                rule: "An Application deploys the Freight of the Stage that its annotation names, and of no other.",
                who: None,
                next: "Leave WHARFINGER_STAGE out of what you write, or correct the annotation.",
            },
            Self::ClaimOutdated => Explanation {
                meaning: "The write would deploy an assignment that the Stage no longer holds.",
                rule: "Only a promotion changes which Freight an Application deploys. To go back is a promotion too: argocd app rollback does not make one.",
                who: Some("Whoever has the verb promote on the Stage."),
                next: "To go back: wharf rollback STAGE. To go on: wharf promote FREIGHT --to STAGE. A manifest in Git that names an old claim: take the claim out of it.",
            },
            Self::ClaimUnknown => Explanation {
                meaning: "The write claims an assignment that the Stage never made.",
                rule: "Assignments are made by promotions alone, and numbered by the Stage.",
                who: Some("Whoever has the verb promote on the Stage."),
                next: "Leave the claim out of what you write. After a restore from a backup, promote again: wharf promote FREIGHT --to STAGE.",
            },
            Self::Unassigned => Explanation {
                meaning: "The Stage holds no Freight yet.",
                rule: "An Application of a Stage is rendered with what the Stage holds. Without Freight it is not rendered at all: an empty result would delete everything.",
                who: Some("Whoever has the verb promote on the Stage."),
                next: "Promote Freight to the Stage: wharf promote FREIGHT --to STAGE.",
            },
            Self::StageMissing => Explanation {
                meaning: "There is no such Stage.",
                rule: "An Application, a Promotion and an approval name a Stage of a Project.",
                who: None,
                next: "Look for the right name: wharf get stages -p PROJECT. Or create the Stage.",
            },
            Self::OperationSource => Explanation {
                meaning: "An operation brings sources or manifests of its own.",
                rule: "What an Application deploys is what its spec says. An operation may ask for it to be deployed, not for something else.",
                who: Some(
                    "In an emergency, whoever has the verb bypass on the Stage: see break-glass.",
                ),
                next: "Sync without --local and without sources. To deploy other Freight, promote it.",
            },
            Self::OperationState => Explanation {
                meaning: "Somebody other than Argo CD's application controller writes the record of an operation.",
                rule: "While an operation runs, Argo CD goes on from status.operationState: whoever could write it could deploy anything.",
                who: Some(
                    "The application controllers of Argo CD. Everybody may end an operation, or forget one.",
                ),
                next: "Ask for an operation in .operation. End one: argocd app terminate-op APPLICATION. When a backup is put back, leave the status out.",
            },
            Self::Leaving => Explanation {
                meaning: "The write takes the Application away from its Stage: the annotation or the plugin goes, or something else is deployed in place of its sources.",
                rule: "A Stage keeps its Applications until somebody with a permission on the Stage lets them go.",
                who: Some(
                    "Whoever has the verb promote on the Stage that is left, or is among the users of the Project's releasedBy. spec.sourceHydrator is for nobody, as long as the Application names a Stage.",
                ),
                next: "wharf release APPLICATION does it without changing what is deployed.",
            },
            Self::BreakGlass => Explanation {
                meaning: "The annotation wharfinger.dev/break-glass lifts the rules for one Application, and something is amiss with it.",
                rule: "In an emergency the rules can be lifted, in everybody's sight: with a reason, by somebody who may, on an Application that names a Stage.",
                who: Some("Whoever has the verb bypass on the Stage."),
                next: "Write the reason into the annotation; remove the annotation when the emergency is over.",
            },
            Self::InUse => Explanation {
                meaning: "Applications still name the Stage or the Project that is to be deleted.",
                rule: "Without their Stage, Applications can't be rendered any more.",
                who: Some("Whoever has the verb bypass on the Stage, on all Stages for a Project."),
                next: "Let the Applications go first: wharf release APPLICATION.",
            },
            Self::FreightHeld => Explanation {
                meaning: "A Stage holds the Freight that is to be deleted.",
                rule: "Where Freight was verified and what it is approved for is written on it, and a Stage is judged by that for as long as it holds the Freight.",
                who: None,
                next: "Promote other Freight to the Stage: wharf promote FREIGHT --to STAGE. Freight that no Stage holds may be deleted.",
            },
            Self::Permission => Explanation {
                meaning: "The caller lacks a permission on the Stage.",
                rule: "Promoting, approving, changing a Promotion, taking an Application away, changing what it deploys besides Freight and syncing another revision need the verb promote on the Stage; lifting the rules, deleting what Applications name and giving owners need the verb bypass. Rights over Applications do not count.",
                who: Some(
                    "Whoever a Role in the Project's Namespace gives the verb, on stages of kargo.akuity.io.",
                ),
                next: "Ask whoever looks after the Project for the Role that the text describes. To see what you may: kubectl auth can-i promote stages.kargo.akuity.io/STAGE -n PROJECT.",
            },
            Self::StatusGuard => Explanation {
                meaning: "The field is written by controllers alone, or can't be changed once it is written.",
                rule: "What a Stage holds, what a Promotion does, what Freight is made of and what Argo CD says that it deployed are facts that others rely on.",
                who: Some(
                    "Wharfinger's controller and webhook; of an Application's status, Argo CD's application controller.",
                ),
                next: "Leave the field as it is; take the status of an Application out of what you write. To change what a Stage holds: wharf promote. To change what a Promotion does, abort it and create another.",
            },
            Self::Unreadable => Explanation {
                meaning: "The object is not of the form that its kind has.",
                rule: "What can't be understood can't be judged, so it is not let through.",
                who: None,
                next: "Mend the field that the text names: kubectl explain KIND.spec shows the form.",
            },
            Self::Invalid => Explanation {
                meaning: "A field has a value that it may not have.",
                rule: "The rules are Kargo's, of each kind; they are looked at before anything is stored.",
                who: None,
                next: "Mend the fields that the text names, all of them: each is told with its path.",
            },
            Self::Immutable => Explanation {
                meaning: "The write changes what was written once and for all.",
                rule: "The content of Freight and the spec of a Promotion are read again long after they were made, so they stay as they are.",
                who: None,
                next: "Make another object. A Promotion that is not wanted any more can be aborted.",
            },
            Self::Namespace => Explanation {
                meaning: "The namespace does not exist, or does not belong to a Project.",
                rule: "A Project and its namespace have one name, and the namespace has the label kargo.akuity.io/project: \"true\".",
                who: None,
                next: "Create the Project first: its namespace comes with it. A namespace that was there before takes the label.",
            },
            Self::Alias => Explanation {
                meaning: "Other Freight of the Project has the alias.",
                rule: "An alias is a name for people, so one Project has it once.",
                who: None,
                next: "Choose another, or leave it out: one is made then.",
            },
            Self::Warehouse => Explanation {
                meaning: "There is no such Warehouse, or the Freight does not fit what it subscribes to.",
                rule: "Freight has exactly one artifact for each subscription of the Warehouse that it comes from.",
                who: None,
                next: "Compare the Freight with the Warehouse's spec.subscriptions: kubectl -n PROJECT get warehouse NAME -o yaml.",
            },
            Self::Target => Explanation {
                meaning: "There is no such Target, or the Stage has none.",
                rule: "A PromotionRequest names Targets of a Stage that selects Targets.",
                who: None,
                next: "Look for the right name: wharf get targets -p PROJECT.",
            },
            Self::Policy => Explanation {
                meaning: "A promotion policy of the Project can't be read.",
                rule: "The first policy that matches a Stage decides whether it is promoted to without being asked. Where that can't be said, nothing is.",
                who: None,
                next: "Mend the policy in the Project's ProjectConfig, at the path that the text names.",
            },
            Self::LegacyForm => Explanation {
                meaning: "A Stage is written in the form of an older Kargo, and can't be converted.",
                rule: "Kargo before v1.0 had spec.subscriptions and spec.promotionMechanisms. They are converted when the Stage is written, where that can be done in one way only.",
                who: None,
                next: "Write spec.requestedFreight and spec.promotionTemplate instead: docs/legacy.md.",
            },
            Self::Joining => Explanation {
                meaning: "The Application joins a Stage whose Project does not take it.",
                rule: "Who writes an Application's annotation is often unknown, so the Stage's side says which Applications it takes: spec.wharfinger.applications of its ProjectConfig.",
                who: Some("Whoever may write the Project's ProjectConfig decides."),
                next: "Ask for the Application to be added to the list, or correct the annotation.",
            },
            Self::RenderedNatively => Explanation {
                meaning: "Argo CD renders a source that names the plugin wharfinger without the plugin.",
                rule: "A file .argocd-source.yaml in the repository can take the plugin out of a source. What is rendered then knows nothing of Freight.",
                who: None,
                next: "Take the plugin out of .argocd-source.yaml, or the file out of the Application's folder.",
            },
            Self::OperationRunning => Explanation {
                meaning: "An operation of somebody else runs on the Application.",
                rule: "A running operation is not written over. A Promotion waits for up to a minute, and ends one that deploys something else.",
                who: None,
                next: "Wait, or end it: argocd app terminate-op APPLICATION.",
            },
            Self::OperationFailed => Explanation {
                meaning: "The operation that was to deploy the Freight has failed.",
                rule: "A Promotion has succeeded when each Application is synced to what was assigned.",
                who: None,
                next: "Read what Argo CD says: argocd app get APPLICATION. Then promote again, or go back: wharf rollback STAGE.",
            },
            Self::OperationPending => Explanation {
                meaning: "An operation was asked for, and Argo CD has not begun it.",
                rule: "Argo CD's application controller picks operations up one after the other.",
                who: None,
                next: "Wait. If it lasts: kubectl -n argocd logs statefulset/argocd-application-controller.",
            },
            Self::Comparing => Explanation {
                meaning: "The Application is synced, and Argo CD has not compared it since.",
                rule: "A Promotion looks at the comparison that follows the sync, not at the one before.",
                who: None,
                next: "Wait: a comparison is asked for when it is late.",
            },
            Self::RenderFailed => Explanation {
                meaning: "The Application could not be rendered.",
                rule: "A doubt while rendering is an error, never an empty or an older result. What runs stays as it is.",
                who: None,
                next: "The text says which file or which claim it is about. See the same here: wharf render --app APPLICATION.",
            },
            Self::NotReconciled => Explanation {
                meaning: "Argo CD has never looked at the Application.",
                rule: "A Promotion waits a minute for the first look.",
                who: None,
                next: "Check that the Application lies in a namespace that Argo CD watches, and that its AppProject allows it.",
            },
            Self::NoApplications => Explanation {
                meaning: "No Application names the Stage.",
                rule: "A promotion that reaches nothing is most likely a mistake in an annotation, so it fails.",
                who: None,
                next: "Annotate an Application: wharf adopt APPLICATION --stage STAGE. Or say in the step assign that there may be none: allowNone: true.",
            },
            Self::OutOfSync => Explanation {
                meaning: "The Application was synced, and is still not what Git and Freight say.",
                rule: "That is Argo CD's finding, and nothing is stopped by it: with pruning off, objects stay behind.",
                who: None,
                next: "Look at what differs: argocd app diff APPLICATION.",
            },
            Self::UnpinnedGit => Explanation {
                meaning: "The Application's revision follows a branch.",
                rule: "Freight pins what it carries. What it does not carry follows Argo CD, so a commit to that branch is deployed without a promotion.",
                who: None,
                next: "Subscribe the Warehouse to the repository: then the Freight carries a commit, and pins it.",
            },
            Self::WrongRevision => Explanation {
                meaning: "The source is at another revision than the Freight asks for.",
                rule: "Where Freight carries a commit or a chart version, that is what is rendered.",
                who: None,
                next: "Wharfinger's controller sets targetRevision. If it stays different, look for who else writes it.",
            },
            Self::ImageUnused => Explanation {
                meaning: "The Freight holds an image, and nothing that is deployed uses it.",
                rule: "An image is put in where its repository is that of the Freight: in pods of every kind that Kubernetes and Argo Rollouts have, and at the places that the plugin's parameter imagePaths names. Nothing is stopped where there is none.",
                who: None,
                next: "Compare how the repository is spelled in the Warehouse and in the manifests: wharf render --app APPLICATION. For an image outside of pods, set imagePaths.",
            },
            Self::ImagePathUnused => Explanation {
                meaning: "The plugin's parameter imagePaths names a place, and no object that is rendered has a text there.",
                rule: "An image outside of a pod is exchanged where imagePaths says that one stands. An entry that finds nothing exchanges nothing, so what it was written for keeps the image that the manifests have.",
                who: None,
                next: "Compare kind, group, name and path with the objects: wharf render --app APPLICATION. An entry that has had its day is removed.",
            },
            Self::ImageUnmanaged => Explanation {
                meaning: "An image is deployed that a Warehouse of the Stage subscribes, but the Freight of the Stage holds none of it.",
                rule: "What the Freight does not hold stays as the manifests have it, so this image changes without a promotion.",
                who: None,
                next: "Promote Freight of that Warehouse that holds it: wharf get freight -p PROJECT. Freight from before the subscription does not.",
            },
            Self::UploadLarge => Explanation {
                meaning: "For each render of the Application, Argo CD packs and sends far more files than are read.",
                rule: "Argo CD sends the folder that all paths of the annotation argocd.argoproj.io/manifest-generate-paths have in common; without the annotation, the whole repository. It costs time at each promotion, and nothing else.",
                who: None,
                next: "Set the annotation that wharf doctor prints: it covers exactly what is read.",
            },
            Self::PathsUndeclared => Explanation {
                meaning: "The Application is rendered from files that its annotation argocd.argoproj.io/manifest-generate-paths does not cover.",
                rule: "Argo CD renders anew only after commits that touch a path of the annotation: commits to these files wait for the next one that does.",
                who: None,
                next: "Set the annotation that wharf doctor prints: it covers exactly what is read.",
            },
            Self::Timeout => Explanation {
                meaning: "The step did not end in time.",
                rule: "A step of a Promotion has five minutes, or what its retry.timeout says. What was assigned stays assigned.",
                who: None,
                next: "See what each Application waits for: wharf status STAGE. Then promote again, or go back: wharf rollback STAGE.",
            },
            Self::Superseded => Explanation {
                meaning: "A newer Promotion of the Stage took over.",
                rule: "A Stage has one running Promotion, and holds one assignment: the newest.",
                who: None,
                next: "Nothing. Follow the newer one: wharf watch STAGE.",
            },
            Self::Freight => Explanation {
                meaning: "The Freight does not exist, is not named, or is not what its name says.",
                rule: "The name of Freight is a hash of what it holds, and a Promotion names Freight of its own Project.",
                who: None,
                next: "Look for the right name: wharf get freight -p PROJECT.",
            },
            Self::OriginRequested => Explanation {
                meaning: "The Stage does not ask for Freight of this Warehouse.",
                rule: "spec.requestedFreight of a Stage names the Warehouses whose Freight it takes.",
                who: None,
                next: "Choose other Freight, or add the Warehouse to the Stage's requestedFreight.",
            },
            Self::Verified => Explanation {
                meaning: "The Freight is not verified in the Stages that it has to come from.",
                rule: "A Stage takes Freight that was verified upstream: in one of the Stages that requestedFreight names, or in all of them, as availabilityStrategy says.",
                who: Some(
                    "Whoever has the verb promote on the Stage may approve the Freight, which takes the place of verification.",
                ),
                next: "Promote it upstream first. To skip that: wharf approve FREIGHT --to STAGE.",
            },
            Self::Soak => Explanation {
                meaning: "The Freight was not in a Stage upstream for long enough.",
                rule: "requiredSoakTime of the Stage's requestedFreight says how long it has to be there.",
                who: Some(
                    "Whoever has the verb promote on the Stage may approve the Freight, which takes the place of soaking.",
                ),
                next: "Wait: wharf why FREIGHT --to STAGE says until when. To skip it: wharf approve FREIGHT --to STAGE.",
            },
            Self::SoakedBeside => Explanation {
                meaning: "The Freight was for long enough in the Stages that count, and in another one as well.",
                rule: "With availabilityStrategy All and a requiredSoakTime, Kargo's list of available Freight leaves out what has soaked in a Stage that sources.stages does not name. A Promotion is not admitted for what the list leaves out.",
                who: Some(
                    "Whoever may edit the Stage names the other Stage in sources.stages; whoever has the verb promote on the Stage may approve the Freight.",
                ),
                next: "To let it in: wharf approve FREIGHT --to STAGE.",
            },
            Self::Approved => Explanation {
                meaning: "Somebody approved the Freight for the Stage.",
                rule: "An approval takes the place of verification and soak time, for one Stage.",
                who: Some("Whoever has the verb promote on the Stage."),
                next: "Nothing: the Freight is available.",
            },
            Self::Queue => Explanation {
                meaning: "Other Promotions of the Stage come first.",
                rule: "The Promotions of a Stage run one after the other, in the order in which they were created.",
                who: None,
                next: "Wait, or see what the first one waits for: wharf watch STAGE.",
            },
            Self::AppsAuthorised => Explanation {
                meaning: "Which Applications name the Stage, and so would come along with a promotion.",
                rule: "The annotation kargo.akuity.io/authorized-stage of an Application is its consent.",
                who: None,
                next: "Add one: wharf adopt APPLICATION --stage STAGE.",
            },
            Self::Step => Explanation {
                meaning: "A step of the Promotion can't be carried out by this version, or is written wrongly; or there is none.",
                rule: "A Promotion does what the promotionTemplate of its Stage says. A Stage without steps only passes Freight on.",
                who: None,
                next: "Mend spec.promotionTemplate.spec.steps of the Stage, and promote again.",
            },
            Self::Unavailable => Explanation {
                meaning: "Something that is needed for the answer can't be reached, or took too long.",
                rule: "What can't be known is refused: a doubt never lets a write through.",
                who: None,
                next: "Try again. If it lasts, run wharf doctor, and look at the webhook: kubectl -n wharfinger get pods.",
            },
            Self::Kinds => Explanation {
                meaning: "A kind of kargo.akuity.io is not served, or not stored as it must be.",
                rule: "Wharfinger's CustomResourceDefinitions are Kargo's, and one field more: Kargo's own would drop what a Stage is assigned.",
                who: Some("Whoever administers the cluster."),
                next: "Apply manifests/crds, and run wharf doctor.",
            },
            Self::Webhook => Explanation {
                meaning: "The API server does not ask the webhook as it must.",
                rule: "The rules hold because every write passes the webhook, and because it is refused while the webhook is away.",
                who: Some("Whoever administers the cluster."),
                next: "Apply manifests/webhook, and run wharf doctor.",
            },
            Self::Probe => Explanation {
                meaning: "How the webhook answered when a write was tried on it.",
                rule: "A claim that can't be had is denied, and an Application that claims nothing is admitted.",
                who: Some("Whoever administers the cluster."),
                next: "Run wharf doctor, and look at the webhook's log: kubectl -n wharfinger logs deploy/wharfinger-webhook.",
            },
            Self::Sidecar => Explanation {
                meaning: "The sidecar is not in every Pod of argocd-repo-server, or not ready.",
                rule: "Argo CD asks any of its repo-servers to render, so each needs the sidecar.",
                who: Some("Whoever administers Argo CD."),
                next: "Apply manifests/argocd to Argo CD, and run wharf doctor.",
            },
            Self::OtherPlugin => Explanation {
                meaning: "Another plugin runs in the Pods of argocd-repo-server, beside the sidecar.",
                rule: "repo-server knows a plugin by the name of its socket, and all sockets are in one folder that every plugin may write to. So another one can put its own in the place of ours; and a file .argocd-source.yaml in Git can name it in place of ours. Admission sees neither.",
                who: Some("Whoever administers Argo CD."),
                next: "Run it in an Argo CD of its own. Else trust whoever makes its image as you trust repo-server, and review .argocd-source.yaml.",
            },
            Self::Setting => Explanation {
                meaning: "A setting of Argo CD is not as it must be, or could be better.",
                rule: "With Argo CD's defaults a failed render is repeated from a cache for an hour, whole repositories are sent for each render, and whoever may sync an Application may choose its revision where the Freight pins none.",
                who: Some("Whoever administers Argo CD."),
                next: "Set what the text says; most of it is in manifests/argocd. Then run wharf doctor.",
            },
            Self::ClockSkew => Explanation {
                meaning: "The clocks of two machines differ.",
                rule: "Soak time, time-outs and the order of Promotions go by the clocks of the cluster.",
                who: Some("Whoever administers the machines."),
                next: "Let NTP set the clock of the machine that the text names.",
            },
            Self::Converged => Explanation {
                meaning: "The Application deploys what its Stage holds.",
                rule: "Wharfinger's controller holds each Application to the assignment of its Stage, for ever.",
                who: None,
                next: "Nothing.",
            },
        }
    }
}

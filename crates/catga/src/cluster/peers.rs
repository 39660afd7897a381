use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catga_cluster::{
    CallError, Change, ChangeError, Member, Peer, Peers, RaftLog, Serve, Standing, Topic,
};
use catga_core::NodeName;
use catga_host::{BoxFuture, Connection, Host};
use catga_journal::{Held, Replica};
#[cfg(feature = "tls")]
use catga_runtime::CertificateStatus;
use catga_runtime::{
    MemberState, MemberStatus, MembershipChange, MembershipError, PeerCalls, PeerError,
    PeerRequests,
};

/// How long a change of the membership may take: a learner may have much to catch up with.
const CHANGE_WAIT: Duration = Duration::from_secs(30);

/// The way to the other members: their links, and the log that knows who they are.
pub(super) struct ClusterPeers {
    host: Arc<dyn Host>,
    member: Arc<Member>,
    replica: Arc<Replica<RaftLog>>,
}

impl ClusterPeers {
    pub(super) fn new(
        host: Arc<dyn Host>,
        member: Arc<Member>,
        replica: Arc<Replica<RaftLog>>,
    ) -> Self {
        Self { host, member, replica }
    }
}

impl PeerCalls for ClusterPeers {
    fn call(
        &self,
        to: &NodeName,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        let Some(recipient) = self.replica.log().recipient(to) else {
            let why = format!("{to} is no member of the cluster");
            return Box::pin(std::future::ready(Err(PeerError::NotSent(why))));
        };
        let links = self.member.links();
        let call = links.call(&recipient, Topic::Application, vec![request], within);
        Box::pin(async move {
            call.await.map_err(|error| match error {
                CallError::NotSent(why) => PeerError::NotSent(why),
                error => PeerError::Unknown(error.to_string()),
            })
        })
    }

    fn serve(&self, handler: Arc<dyn PeerRequests>) {
        self.member.serve(Arc::new(Answering(handler)));
    }

    fn members(&self) -> Vec<MemberStatus> {
        let members = self.replica.log().roster().into_iter().map(|member| {
            let state = match member.standing {
                Standing::Available => MemberState::Available,
                Standing::Lagging => MemberState::Lagging,
                _ => MemberState::Unreachable,
            };
            let status = MemberStatus::new(member.name, state, member.leads);
            let status = status.with_engine_version(member.engine_version);
            let status = if member.votes { status } else { status.without_vote() };
            status.with_endpoint(format!("http://{}", member.address))
        });
        members.collect()
    }

    fn is_changing(&self) -> bool {
        self.replica.log().is_joint()
    }

    fn held(&self) -> Vec<Held> {
        self.member.links().held()
    }

    fn change(&self, change: MembershipChange) -> BoxFuture<'_, Result<(), MembershipError>> {
        let change = match change {
            MembershipChange::Promote(name) => Change::Promote(name),
            MembershipChange::Remove(name) => Change::Remove(name),
            MembershipChange::Lead(name) => Change::Lead(name),
            other => {
                let why = format!("this build does not know how to make {other:?}");
                return Box::pin(std::future::ready(Err(MembershipError::Refused(why))));
            }
        };
        Box::pin(async move {
            let made = self.replica.log().change(&*self.host, &change, CHANGE_WAIT).await;
            made.map_err(|error| match error {
                ChangeError::NoSuchMember { name, members } => {
                    MembershipError::NoSuchMember { name, members }
                }
                ChangeError::Unfinished(fault) => MembershipError::Unfinished(fault),
                refused => MembershipError::Refused(refused.to_string()),
            })
        })
    }

    #[cfg(feature = "tls")]
    fn certificate(&self) -> Option<CertificateStatus> {
        let certificate = self.member.links().credentials()?.certificate();
        let life = certificate.not_after.saturating_sub(certificate.not_before);
        let status = CertificateStatus::new(certificate.valid_for, life);
        Some(match certificate.reload_failure {
            Some(error) => status.with_refused(error.to_string()),
            None => status,
        })
    }

    #[cfg(feature = "tls")]
    fn reload_certificate(&self) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async {
            let Some(credentials) = self.member.links().credentials() else { return Ok(false) };
            let reloaded = credentials.reload_apart().await;
            reloaded.map_err(|error| error.to_string())
        })
    }

    fn accept(&self, connection: Connection) -> BoxFuture<'static, ()> {
        let links = self.member.links().clone();
        Box::pin(async move { links.accept(connection).await })
    }

    fn hand_over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            match self.replica.log().hand_over().await {
                Ok(handed) => tracing::info!(?handed, "handed over"),
                Err(fault) => tracing::warn!(%fault, "leadership was not handed over"),
            }
        })
    }
}

/// Answers what the nodes of the cluster ask of the application.
struct Answering(Arc<dyn PeerRequests>);

impl Serve for Answering {
    fn serve(
        &self,
        from: &Peer,
        _: Topic,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let answer = self.0.handle(&from.name, request);
        Box::pin(async move { Ok(answer.await) })
    }
}

impl fmt::Debug for ClusterPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterPeers").field("member", &self.member).finish_non_exhaustive()
    }
}

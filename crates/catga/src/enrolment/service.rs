use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::admission::{Admission, JoinTokenCreated, JoinTokenRedeemed};
use super::authority::Authority;
use super::join_tokens::JoinTokens;
use super::proof::Statement;
use super::{
    CreateJoinToken, EnrolmentError, GetJoinToken, IssueCertificate, IssuedCertificate,
    JoinRequest, JoinTokenStatus, RedeemJoinToken,
};
use crate::http::post;
use crate::{Answer, Fault, NodeName, OwnNode, Routes, Timestamp, Tx, View, Wiring, service};

/// Lets new nodes in by tokens: makes tokens known, and signs the certificate of whoever holds one.
///
/// See the [module](super).
pub struct Enrolment {
    node: OwnNode,
    tokens: View<JoinTokens>,
    cluster: String,
    authority: Authority,
}

impl Enrolment {
    /// The service of the cluster `cluster`, as its nodes' certificates call it. It signs nothing
    /// before it knows the [CA](Self::ca) and its [key](Self::ca_key).
    pub fn new(wiring: &mut Wiring, cluster: impl Into<String>) -> Self {
        let valid_for = Duration::from_secs(365 * 24 * 3600);
        Self {
            node: wiring.own_node(),
            tokens: wiring.projection(),
            cluster: cluster.into(),
            authority: Authority { ca: None, key: None, valid_for },
        }
    }

    /// The file with the certificate of the CA, as PEM: the one that peers trust
    /// (`CLUSTER_TLS_CA`). Where it holds several, the one to which the key belongs signs.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.authority.ca = Some(file.into());
        self
    }

    /// The file with the key of the CA, as PEM of PKCS #8 (`CLUSTER_TLS_CA_KEY`). Whoever reads it
    /// can be any node, so few nodes have it; others say that they do not. It is read for each
    /// certificate, and not kept.
    #[must_use]
    pub fn ca_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.authority.key = Some(file.into());
        self
    }

    /// How long a certificate is valid: 365 days, and a hundred years at most. A node asks for no
    /// other by itself, and falls out of the cluster when its own has expired; so it must last until
    /// somebody surely comes by. [`Health`](crate::Health) says so when a quarter of it is left.
    #[must_use]
    pub fn valid_for(mut self, valid_for: Duration) -> Self {
        self.authority.valid_for = valid_for;
        self
    }

    /// The same, with the files that the environment names, `CLUSTER_TLS_CA` and
    /// `CLUSTER_TLS_CA_KEY`, in place of those that were named before.
    #[must_use]
    pub fn with_env(mut self) -> Self {
        let file = |name| std::env::var_os(name).filter(|file| !file.is_empty()).map(Into::into);
        self.authority.ca = file("CLUSTER_TLS_CA").or(self.authority.ca);
        self.authority.key = file("CLUSTER_TLS_CA_KEY").or(self.authority.key);
        self
    }

    /// The same routes, and two more: `POST /cluster/join-tokens` for operators, and `POST
    /// /cluster/certificates` for whoever holds a token.
    pub fn routes(routes: Routes) -> Routes {
        let create = post::<CreateJoinToken>().for_operators();
        routes
            .route("/cluster/join-tokens", create)
            .route(JoinRequest::PATH, post::<IssueCertificate>())
    }

    /// Whether the holder of the token has signed the request.
    fn check_signature(&self, request: &IssueCertificate) -> Result<(), EnrolmentError> {
        let IssueCertificate { token, name, node_key, signature } = request;
        let statement = Statement { cluster: &self.cluster, name, node_key };
        let is_signed = statement.is_signed(token, signature);
        if is_signed { Ok(()) } else { Err(EnrolmentError::NotSigned) }
    }

    fn is_member(&self, name: &str) -> Result<bool, Fault> {
        let (name, status) = (NodeName::new(name), self.node.get()?.cluster().status());
        Ok(status.members.iter().any(|member| member.name == name))
    }
}

#[service(crate = "crate")]
impl Enrolment {
    async fn create(
        &self,
        cmd: CreateJoinToken,
        tx: &mut Tx,
    ) -> Answer<JoinTokenStatus, EnrolmentError> {
        let CreateJoinToken { token, name, ttl_s, renews } = cmd;
        if let Some(known) = tx.load::<Admission>(&token).await? {
            // Whoever did not hear the answer asks again.
            let status = known.status();
            let is_the_same = (&status.name, status.renews) == (&name, renews);
            return if is_the_same {
                Ok(status.clone())
            } else {
                Err(EnrolmentError::Exists.into())
            };
        }
        if !renews && self.is_member(&name)? {
            return Err(EnrolmentError::Member(name).into());
        }
        let now_ms = tx.now().as_millis();
        let expires_at = Timestamp::from_millis(now_ms.saturating_add(ttl_s.saturating_mul(1000)));
        let made = tx.create(JoinTokenCreated { token, name, renews, expires_at })?;
        Ok(made.status().clone())
    }

    async fn redeem(&self, cmd: RedeemJoinToken, tx: &mut Tx) -> Answer<(), EnrolmentError> {
        let RedeemJoinToken { request } = cmd;
        self.check_signature(&request)?;
        let token = tx.load::<Admission>(&request.token).await?;
        let mut token = token.ok_or(EnrolmentError::Unknown)?;
        if !token.admits(&request, tx.now())? {
            return Ok(());
        }
        if !token.status().renews && self.is_member(&request.name)? {
            return Err(EnrolmentError::Member(request.name).into());
        }
        token.emit(JoinTokenRedeemed { token: request.token, node_key: request.node_key });
        Ok(())
    }

    async fn look_up(&self, query: GetJoinToken) -> Answer<JoinTokenStatus, EnrolmentError> {
        self.tokens.with(|tokens| Ok(tokens.find(&query.token)?.status().clone()))
    }

    /// What is refused by what is known leaves nothing in the journal: anybody may ask.
    async fn issue(&self, cmd: IssueCertificate) -> Answer<IssuedCertificate, EnrolmentError> {
        self.check_signature(&cmd)?;
        let node = self.node.get()?;
        node.ask(GetJoinToken { token: cmd.token }).await?;
        let host = node.host();
        let now = Timestamp::from_millis(host.wall_ms());
        self.tokens.with(|tokens| tokens.find(&cmd.token)?.admits(&cmd, now))?;
        let cannot = |why: String| {
            tracing::warn!(node = cmd.name, why, "a certificate was asked for and not signed");
            EnrolmentError::NoAuthority(why)
        };
        // Before the token is used up.
        let signer = self.authority.open(&*host.files()).map_err(cannot)?;
        node.send(RedeemJoinToken { request: cmd.clone() }).await?;
        let serial = u128::from(host.random()) << 64 | u128::from(host.random());
        let issued = signer.sign(&self.cluster, &cmd, now, serial).map_err(cannot)?;
        let (token, until) = (cmd.token, issued.expires_at);
        tracing::info!(node = cmd.name, %token, %until, "a certificate was signed by a token");
        Ok(issued)
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolment")
            .field("cluster", &self.cluster)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

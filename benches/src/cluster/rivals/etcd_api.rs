//! The two calls of etcd that are needed, with the fields that are: all others are left out, as
//! their defaults would be, or skipped.

use anyhow::Result;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: prost::bytes::Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: prost::bytes::Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PutResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<Header>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<Header>,
    #[prost(uint64, tag = "4")]
    pub(super) leader: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Header {
    #[prost(uint64, tag = "2")]
    pub(super) member_id: u64,
    #[prost(int64, tag = "3")]
    pub(super) revision: i64,
}

/// Puts a value under a key.
pub(super) async fn put(channel: &mut Grpc<Channel>, request: PutRequest) -> Result<PutResponse> {
    unary(channel, "/etcdserverpb.KV/Put", request).await
}

/// Asks a server who it is and who leads.
pub(super) async fn status(channel: &mut Grpc<Channel>) -> Result<StatusResponse> {
    unary(channel, "/etcdserverpb.Maintenance/Status", StatusRequest {}).await
}

async fn unary<Q, A>(channel: &mut Grpc<Channel>, path: &'static str, request: Q) -> Result<A>
where
    Q: prost::Message + 'static,
    A: prost::Message + Default + 'static,
{
    channel.ready().await?;
    let codec = ProstCodec::<Q, A>::default();
    let answer = channel.unary(tonic::Request::new(request), path.parse()?, codec).await?;
    Ok(answer.into_inner())
}

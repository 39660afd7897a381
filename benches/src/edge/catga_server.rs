use anyhow::Result;

use crate::orders;

/// Serves as a program would; `PORT` says where.
pub(super) async fn serve() -> Result<()> {
    let node = orders::start().await?;
    Ok(catga::serve(node, orders::routes()).await?)
}

//! Two releases of a shop, one of which takes the place of the other while it serves: `shop-former` and
//! `shop-later`. They share how they are started ([`shop`]), and nothing of what they know of orders.

pub mod shop;

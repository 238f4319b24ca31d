//! The directives of mod_wsgi in an Apache configuration.
//!
//! LiteSpeed promises that a Python application moves over from Apache without a change of its configuration. This module
//! reads what that takes: WSGIScriptAlias, WSGIScriptAliasMatch, WSGICallableObject, WSGIApplicationGroup,
//! WSGIScriptReloading, AddType application/x-httpd-wsgi, DocumentRoot and Alias. All else is named as ignored.
//!
//! There is one site: `<VirtualHost>` and `<IfModule>` count as if they were not there (`<IfModule !...>` as if it were
//! empty), and so do all virtual hosts together. In `<Directory>`, `<Files>` and `<Location>` the variables count for
//! those scripts and URLs. Every other section is ignored with what is in it.

mod directive;
mod ignored;
mod read;
mod scopes;
#[cfg(test)]
mod tests;

pub use ignored::Ignored;

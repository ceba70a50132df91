//! Answers for an app that was taken offline with an `app_offline.htm`.

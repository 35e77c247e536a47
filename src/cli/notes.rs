//! What stands under the help.

pub(super) const EXAMPLES: &str = "\
Examples:
  amr-top                                   watch 127.0.0.1:6379
  amr-top mycache.westeurope.redis.azure.net --ask-pass
  amr-top rediss://user@cache.example:6380 --password-file secret.txt
  amr-top check --for 30s --format json cache:6379
  amr-top check --info before.txt --info after.txt
  amr-top demo                              see an incident, no server needed

Passwords, first found wins: the URL, --password-file, --ask-pass, then the environment
variables AMR_TOP_PASSWORD and REDISCLI_AUTH. Sentinels are given the same, unless
--sentinel-password-file or AMR_TOP_SENTINEL_PASSWORD is theirs. NO_COLOR turns colours off.

Exit codes:
  0  fine; for check: no loss found
  1  the program failed, or no reply could be read
  2  usage
  3  check found a cause that --fail-on names

amr-top only reads: it never writes to the server and never sends SELECT.";

pub(super) const CHECK_NOTES: &str = "\
Examples:
  amr-top check cache:6379                         watch for 10 s, then say what was lost
  amr-top check --once cache:6379                  one look: totals since the server's start
  amr-top check --fail-on flush,eviction cache:6379
  amr-top check --for 10s --monitor 3s cache:6379  MONITOR on demand: costly, and sees everything
  redis-cli INFO everything > before.txt           … later: > after.txt
  amr-top check --info before.txt --info after.txt

Exit codes:
  0  no loss found while watching
  1  the program failed, or no reply could be read
  2  usage
  3  a cause that --fail-on names is confirmed or suspected

What happened before the watch is told as suspected from before and gives 0: a monitor must not
fail for ever. With --once, and with one --info, it gives 3: there is nothing else to know.";

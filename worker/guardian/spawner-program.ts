/**
 * The spawner: a small program that starts runs for the guardian, because a fork costs as much as
 * the process that forks is large, and Node's spawn waits for the exec besides. In Perl, since that
 * is there on nearly every Linux and needs no compiler. It reads what to start from descriptor 3,
 * is the parent of what it started, and tells how that ended. The words are those of spawner.ts.
 *
 * - A child says `started` itself, as the last thing before its exec, after it looked at the clock:
 *   one that is too late, or has nobody to tell it to, does not become a run.
 * - The signals that wake it are blocked but while it waits, so none is lost between look and wait.
 * - The end of its channel is the guardian's death: KILL to the groups whose leader still runs.
 */
export const spawnerProgram = String.raw`
use strict;
no warnings;
use POSIX ();
use Time::HiRes ();
use Fcntl ();

my ($guardian, $probe) = @ARGV;
$0 = 'cronmesh spawner';

my ($READY, $PONG, $STARTED, $FAILED, $LATE, $EXITED) = 1 .. 6;
my @caught = qw(HUP INT QUIT TERM USR1 USR2 PIPE CHLD IO);
my $none = POSIX::SigSet->new;
my $waking = POSIX::SigSet->new(POSIX::SIGCHLD(), POSIX::SIGPOLL());
my %idOf;

sub monotonicMs { 1000 * Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

sub pipePath { "/proc/$guardian/fd/$_[0]" }

# Another user's guardian, or no /proc: its pipes would be out of reach.
my $reached = POSIX::open(pipePath($probe), POSIX::O_WRONLY() | POSIX::O_NONBLOCK()) or exit 3;
POSIX::close($reached);

open my $channel, '+<&=', 3 or exit 4;
fcntl $channel, Fcntl::F_SETFD(), Fcntl::FD_CLOEXEC() or exit 4;
$SIG{$_} = sub { } for @caught;
POSIX::sigprocmask(POSIX::SIG_BLOCK(), $waking);
fcntl $channel, Fcntl::F_SETOWN(), $$ + 0 or exit 4;
fcntl $channel, Fcntl::F_SETFL(), POSIX::O_RDWR() | POSIX::O_NONBLOCK() | Fcntl::O_ASYNC() or exit 4;

sub isLater { $! == POSIX::EAGAIN() || $! == POSIX::EINTR() }

sub waitWritable {
    my $set = '';
    vec($set, 3, 1) = 1;
    select undef, $set, undef, 0.1;
}

sub end {
    kill 'KILL', map { -$_ } keys %idOf;
    exit 0;
}

# Frames are short enough to be written whole or not at all, by whichever process.
sub report {
    my ($type, $id, $first, $second, $beforeMs) = @_;
    for (;;) {
        my $nowMs = monotonicMs();
        return 0 if defined $beforeMs && $nowMs >= $beforeMs;
        return 1 if defined syswrite $channel, pack 'V V V V d<', $type, $id, $first, $second, $nowMs;
        return undef unless isLater();
        waitWritable();
    }
}

sub fail {
    report($FAILED, $_[0], $! + 0, 0);
    POSIX::_exit(127);
}

sub become {
    my ($id, $beforeMs, $out, $err, $shell, $folder, $command, @environment) = @_;
    $SIG{$_} = 'DEFAULT' for @caught;
    POSIX::setsid();
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), $none);
    chdir $folder or fail($id);
    for ([1, $out], [2, $err]) {
        my ($descriptor, $pipe) = @$_;
        POSIX::close($descriptor);
        my $opened = POSIX::open(pipePath($pipe), POSIX::O_WRONLY());
        fail($id) unless defined $opened && $opened == $descriptor;
    }
    %ENV = ();
    while (@environment) {
        my $name = shift @environment;
        $ENV{$name} = shift @environment;
    }
    my $told = report($STARTED, $id, $$, 0, $beforeMs);
    POSIX::_exit(127) unless defined $told;
    if ($told) {
        exec { $shell } $shell, '-c', $command;
        fail($id);
    }
    report($LATE, $id, 0, 0);
    POSIX::_exit(127);
}

sub start {
    my @order = unpack 'V d< V V (V/a*)*', $_[0];
    my $pid = fork;
    if (!defined $pid) {
        defined report($FAILED, $order[0], $! + 0, 0) or end();
    } elsif ($pid) {
        $idOf{$pid} = $order[0];
    } else {
        become(@order);
    }
}

sub collect {
    while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
        my $status = $?;
        defined report($EXITED, delete $idOf{$pid}, $status >> 8, $status & 127) or end();
    }
}

defined report($READY, 0, $$, 0) or end();
my $unread = '';
for (;;) {
    my $got = sysread $channel, $unread, 65536, length $unread;
    end() if defined $got ? $got == 0 : !isLater();
    while (length $unread >= 4) {
        my $length = unpack 'V', $unread;
        last if length $unread < 4 + $length;
        my $order = substr $unread, 4, $length;
        substr($unread, 0, 4 + $length) = '';
        if ($length == 0) { defined report($PONG, 0, 0, 0) or end() }
        else { start($order) }
    }
    collect();
    POSIX::sigsuspend($none) unless $got;
}
`;

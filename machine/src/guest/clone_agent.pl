# Waits in a saved guest for its clone's identity and applies it: mounts shares, reseeds the
# random number generator, changes machine id and host name, sets the clock. Starting
# `date` and `mount` costs an emulated guest four tenths of a second; here they are a
# system call each. `identity.sh` has the same effect.
#
# Arguments: the path of a virtio port, and a token. A request is a line, `TOKEN ID SIZE`,
# and SIZE bytes, which are fields with NULs between them: time, random bytes, more of them
# for the file, machine id and host name, which may be empty, then source, directory and
# options of each share. The reply is `ID done`, or `ID` and an error. System call numbers are
# those of x86-64.

my ($path, $token) = @ARGV;
my %flags = (
    ro => 1, nosuid => 2, nodev => 4, noexec => 8, sync => 16, dirsync => 128,
    noatime => 1024, nodiratime => 2048, relatime => 1 << 21,
);
my $seed_file = '/var/lib/systemd/random-seed';
my @id_files = ('/etc/machine-id', '/var/lib/dbus/machine-id');
my $outcome;

sub set_clock {
    my ($seconds, $microseconds) = split /\./, $_[0];
    syscall(227, 0, pack 'q2', $seconds, $microseconds * 1000) == 0 # clock_settime
        or $outcome = "clock_settime: $!";
}

sub mount_share {
    my ($source, $dir, $options) = @_;
    my $flags = 0;
    $flags |= $flags{$_} // 0 for split /,/, $options;
    syscall(165, $source, $dir, my $type = '9p', $flags, $options) == 0 # mount
        or $outcome = "mount: $!";
}

sub reseed {
    my ($seed) = @_;
    open my $random, '>', '/dev/urandom' or $outcome = "/dev/urandom: $!", return;
    ioctl $random, 0x40085203, pack 'i2 a*', 2 * length $seed, length $seed, $seed # RNDADDENTROPY
        or $outcome = "RNDADDENTROPY: $!";
    ioctl $random, 0x5207, my $none = 0; # RNDRESEEDCRNG, which older kernels lack
}

# ext4 writes a replaced file to the disk at once, but not one that is written over.
sub write_over {
    my ($path, $text) = @_;
    return if !-s $path || -l $path;
    open my $file, '+<', $path or $outcome = "$path: $!", return;
    syswrite $file, $text or $outcome = "$path: $!";
}

# Writes to the files what they contain. The kernel then has their directory entries and pages
# in memory: a clone runs less of its code for the first time.
sub rehearse {
    for my $path ($seed_file, @id_files) {
        open my $file, '<', $path or next;
        read $file, my $text, 4096;
        write_over($path, $text);
    }
    reseed('');
}

sub set_host_name {
    my ($name) = @_;
    for my $path ('/proc/sys/kernel/hostname', '/etc/hostname') {
        next if !-e $path;
        open my $file, '>', $path or $outcome = "$path: $!", next;
        syswrite $file, "$name\n";
    }
}

# Enables or disables the ACPI event of a new VM generation. The kernel interprets the
# event's code, and would find that this agent has done everything already.
sub set_event {
    open my $file, '>', '/sys/firmware/acpi/interrupts/gpe05' or return;
    syswrite $file, "$_\n" for @_;
}

# The kernel's console log level, if it shows notices and syslog(2) can set it again.
sub level_with_notices {
    open my $file, '<', '/proc/sys/kernel/printk' or return;
    my ($level) = split ' ', <$file>;
    return $level > 5 && $level <= 8 ? $level : undef;
}

# Writing to /proc would take twenty times as much code.
sub set_console_level {
    my ($level) = @_;
    syscall 103, 8, 0, $level + 0; # syslog, SYSLOG_ACTION_CONSOLE_LEVEL
}

open my $port, '+<', $path or exit 1;
# The kernel's notices of the reseeding must not appear on the screen; warnings may.
my $level = level_with_notices();
set_console_level(5) if $level;
set_event('disable');
rehearse();
# Let the process that started this one end before the guest is saved.
select undef, undef, undef, 0.2;
syswrite $port, "$token waiting\n";

my ($id, $request);
while (my $line = <$port>) {
    (my $recipient, $id, my $size) = split / /, $line;
    next if $recipient ne $token;
    read($port, $request, $size) == $size or undef $request;
    last;
}
if (!defined $request) {
    set_console_level($level) if $level;
    set_event('clear', 'enable');
    exit 1;
}
my ($time, $seed, $saved_seed, $machine_id, $name, @mounts) = split /\0/, $request, -1;
$outcome = 'done';
mount_share(splice @mounts, 0, 3) while @mounts;
reseed($seed);
if ($machine_id) {
    write_over($seed_file, $saved_seed);
    write_over($_, "$machine_id\n") for @id_files;
}
set_host_name($name) if $name ne '';
set_console_level($level) if $level;
# Last, because the service manager reacts to it. The clock is late by the time of all this.
set_clock($time);
syswrite $port, "$id $outcome\n";
close $port;

# Exiting costs as much as all of this: leave the processor to the test's first command.
select undef, undef, undef, 1;
set_event('clear', 'enable');

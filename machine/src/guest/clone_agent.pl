# Waits in a saved guest for its clone's identity and applies it: sets the clock, mounts
# shares, reseeds the random number generator, changes machine id and host name. Starting
# `date` and `mount` costs an emulated guest four tenths of a second; here they are a
# system call each. `identity.sh` does the same.
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
my $outcome = 'done';

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
    ioctl $random, 0x40085203, pack 'i2 a*', 256, length $seed, $seed # RNDADDENTROPY
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

sub set_host_name {
    my ($name) = @_;
    for my $path ('/proc/sys/kernel/hostname', '/etc/hostname') {
        next if !-e $path;
        open my $file, '>', $path or $outcome = "$path: $!", next;
        syswrite $file, "$name\n";
    }
}

# Sets the kernel's console log level and returns the old one.
sub set_console_level {
    my ($new) = @_;
    open my $file, '<', '/proc/sys/kernel/printk' or return;
    my $old = <$file>;
    open $file, '>', '/proc/sys/kernel/printk' or return;
    syswrite $file, $new;
    return $old;
}

# Enables or disables the ACPI event of a new VM generation. The kernel interprets the
# event's code, and would find that this agent has done everything already.
sub set_event {
    open my $file, '>', '/sys/firmware/acpi/interrupts/gpe05' or return;
    syswrite $file, "$_\n" for @_;
}

open my $port, '+<', $path or exit 1;
# The kernel's notices of the reseeding must not appear on the screen; warnings may.
my $level = set_console_level(5);
set_event('disable');
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
set_clock($time);
mount_share(splice @mounts, 0, 3) while @mounts;
reseed($seed);
if ($machine_id) {
    write_over('/var/lib/systemd/random-seed', $saved_seed);
    write_over($_, "$machine_id\n") for '/etc/machine-id', '/var/lib/dbus/machine-id';
}
set_host_name($name) if $name ne '';
set_console_level($level) if $level;
syswrite $port, "$id $outcome\n";
close $port;

# Exiting costs as much as all of this: leave the processor to the test's first command.
select undef, undef, undef, 1;
set_event('clear', 'enable');

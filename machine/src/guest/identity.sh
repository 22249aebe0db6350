# shellcheck shell=bash
# Applies a clone's identity, as clone_agent.pl does. Only what the shell does by itself
# where possible: a process takes an emulated guest tens of milliseconds.
# shellcheck disable=SC2154 # assigned by the caller

# busybox knows no fractions of seconds.
date -s "@$time" >/dev/null 2>&1 || date -s "@${time%.*}" >/dev/null
for ((i = 0; i < ${#dirs[@]}; i++)); do
    # A failed agent may have mounted it.
    [[ $(</proc/mounts) == *" ${dirs[i]} 9p "* ]] ||
        mount -t 9p -o "${options[i]}" "${sources[i]}" "${dirs[i]}"
done
# The kernel uses bytes written to /dev/urandom when it next reseeds its generator. Perl can
# make it do so at once, by RNDADDENTROPY and RNDRESEEDCRNG.
if perl=$(type -P perl); then
    # shellcheck disable=SC2016 # Perl's variables
    "$perl" -e 'open my $random, ">", "/dev/urandom" or exit; my $none = 0;
        ioctl $random, 0x40085203, pack "i2 a*", 256, length $ARGV[0], $ARGV[0];
        ioctl $random, 0x5207, $none' "$seed"
else
    printf %s "$seed" >/dev/urandom
fi
if [[ $machine_id ]]; then
    # Files are written over, not truncated: ext4 writes a replacement to the disk at once.
    saved=/var/lib/systemd/random-seed
    [[ ! -e $saved ]] || printf %s "$saved_seed" 1<>"$saved"
    for id in /etc/machine-id /var/lib/dbus/machine-id; do
        [[ ! -s $id || -L $id ]] || echo "$machine_id" 1<>"$id"
    done
fi

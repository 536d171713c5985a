# shellcheck shell=bash
# Whether the manager may read the policy that is mounted for it. Needs lib/dotenv.sh and lib/host_form.sh; root is set by the caller.

# policy_folder prints the folder of this host that the manager has its policy from.
policy_folder() {
  local folder
  folder=$(setting GESTOR_POLICY_DIR ./policy) || return 1
  [[ $folder == /* ]] || folder=${root:?}/${folder#./}
  printf '%s\n' "$folder"
}

# policy_problem prints what keeps the manager from reading its policy and the command that fixes it; nothing when nothing does.
# A clone under umask 077 has files for their owner alone, and the manager is another user without the right to pass over modes.
policy_problem() {
  local folder user path name
  folder=$(policy_folder) && name=$(policy_name) && user=$(setting GESTOR_ENGINE_USER 0:0) || return 1
  [[ $user =~ ^[0-9]+:[0-9]+$ ]] || return 0 # the service prepare says what is wrong with it

  for path in "$folder" "$folder/$name"; do
    [ -e "$path" ] || return 0
    may_read "${user%:*}" "${user#*:}" "$path" && continue
    printf '%s is not readable for the manager (user %s): chmod -R go+rX %q\n' "$path" "$user" "$folder"
    return 0
  done
}

# may_read UID GID PATH tells whether the mode lets that user read a file, or list and enter a folder.
may_read() {
  local bits=r
  [ ! -d "$3" ] || bits=rx
  [ -n "$(find -L "$3" -maxdepth 0 \( -uid "$1" -perm "-u=$bits" -o ! -uid "$1" -gid "$2" -perm "-g=$bits" \
    -o ! -uid "$1" ! -gid "$2" -perm "-o=$bits" \))" ]
}

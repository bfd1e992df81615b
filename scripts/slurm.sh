#!/bin/bash
# One recipe on the GPUs of several nodes, put back into the queue when its time is up or others need the nodes.
#
#     sbatch --nodes 2 scripts/slurm.sh recipes/library.toml --out /shared/runs/mine
#
# Everything after the script is handed to `fledge run`. The run directory must lie on a disk that all nodes share.
#SBATCH --job-name=fledge
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
# two minutes before the end each process gets SIGUSR1: it ends its step, saves, and exits with 138
#SBATCH --signal=USR1@120
#SBATCH --open-mode=append
set -u
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MASTER_ADDR MASTER_PORT
# since Slurm 22.05 srun does not take this over from sbatch, and would bind each process to one processor
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

# the batch script itself may get the signal as well, and must live to see how the processes end
trap : USR1 TERM

# --wait: once one process is gone the others have as long as after the signal to save and end
srun --kill-on-bad-exit=0 --wait=120 bash -c '
    export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID
    export LOCAL_WORLD_SIZE=$SLURM_NTASKS_PER_NODE
    exec "$0" -m fledge run "$@"' "${PYTHON:-python}" "$@" &
while kill -0 $! 2>/dev/null; do wait $!; done
wait $!
status=$?

# the highest of all processes; 138 SIGUSR1 and 143 SIGTERM: asked to stop; 75: a hang that the watchdog ended
case $status in
    138 | 143 | 75)
        if [ "${SLURM_RESTART_COUNT:-0}" -lt "${MAX_RESTARTS:-100}" ]; then
            scontrol requeue "$SLURM_JOB_ID"
        fi
        ;;
    1)
        # an error, or a hang in which every process held the interpreter; what fails each time shall not be tried again
        echo "slurm.sh: status 1, not put back into the queue: see the error above; where it is stacks under" \
            "'Timeout', training hung, and the same sbatch goes on from the last checkpoint" >&2
        ;;
esac
exit "$status"

using System;
using System.Threading;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// Sends what responses have held back for longer than a moment. A response holds its first bytes back while the
    /// app runs without a pause, so that a small answer crosses to native once; an app that blocks its thread
    /// after a flush is overtaken here.
    /// </summary>
    /// <remarks>
    /// By a thread of its own, which sleeps most of the time. A timer would wake one of the pool's each time, and those spin
    /// before they sleep again.
    /// </remarks>
    internal sealed class Sweeper
    {
        private const int PeriodMilliseconds = 20;
        private const int StackSize = 256 * 1024;

        private readonly RequestTable _requests;
        private readonly AutoResetEvent _wanted = new AutoResetEvent(false);
        private int _armed;
        private int _round;

        public Sweeper(RequestTable requests) => _requests = requests;

        /// <summary>Tells what is held now from what was held when the thread came last.</summary>
        public int Round => Volatile.Read(ref _round);

        /// <summary>Starts the thread, which lives as long as the process.</summary>
        public void Start() => new Thread(Run, StackSize) { IsBackground = true, Name = "Ancm.Hosting sweeper" }.Start();

        /// <summary>Something is held now. The thread sleeps while this is not said.</summary>
        public void Arm()
        {
            if (Volatile.Read(ref _armed) == 0 && Interlocked.Exchange(ref _armed, 1) == 0)
            {
                _wanted.Set();
            }
        }

        private void Run()
        {
            while (true)
            {
                _wanted.WaitOne();
                Thread.Sleep(PeriodMilliseconds);
                Sweep();
            }
        }

        private void Sweep()
        {
            try
            {
                Volatile.Write(ref _armed, 0);
                var round = Interlocked.Increment(ref _round);
                if (_requests.SendHeld(round))
                {
                    Arm();
                }
            }
            catch (Exception exception)
            {
                Native.Log(LogLevel.Error, exception.ToString());
            }
        }
    }
}

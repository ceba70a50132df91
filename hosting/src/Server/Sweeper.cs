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
    internal sealed class Sweeper
    {
        private const int PeriodMilliseconds = 20;

        private readonly RequestTable _requests;
        private readonly Timer _timer;
        private int _armed;
        private int _round;

        public Sweeper(RequestTable requests)
        {
            _requests = requests;
            _timer = new Timer(state => ((Sweeper)state!).Sweep(), this, Timeout.Infinite, Timeout.Infinite);
        }

        /// <summary>Tells what is held now from what was held when the timer came last.</summary>
        public int Round => Volatile.Read(ref _round);

        /// <summary>Something is held now. The timer only runs while this is said.</summary>
        public void Arm()
        {
            if (Volatile.Read(ref _armed) == 0 && Interlocked.Exchange(ref _armed, 1) == 0)
            {
                _timer.Change(PeriodMilliseconds, Timeout.Infinite);
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

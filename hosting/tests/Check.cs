using System;
using System.Threading.Tasks;

namespace Ancm.Hosting.Tests
{
    /// <summary>What a test expects.</summary>
    internal static class Check
    {
        public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

        public static void Equal<T>(T expected, T actual, string what = "")
        {
            if (!Equals(expected, actual))
            {
                throw new InvalidOperationException($"{what} expected `{expected}`, got `{actual}`");
            }
        }

        public static void Throws<TException>(Action action)
            where TException : Exception
        {
            try
            {
                action();
            }
            catch (TException)
            {
                return;
            }
            throw new InvalidOperationException($"expected {typeof(TException).Name}");
        }

        /// <summary>A test that hangs must fail, not hang.</summary>
        public static async Task InTime(Task task)
        {
            if (await Task.WhenAny(task, Task.Delay(Patience)) != task)
            {
                throw new TimeoutException("it did not happen in time");
            }
            await task;
        }

        public static async Task<T> InTime<T>(Task<T> task)
        {
            await InTime((Task)task);
            return await task;
        }
    }
}

using System;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Http
{
    /// <summary>The switch that keeps apps from blocking the pool's threads.</summary>
    internal static class SynchronousIO
    {
        public static void Check(IHttpBodyControlFeature control, string instead)
        {
            if (!control.AllowSynchronousIO)
            {
                throw new InvalidOperationException(
                    $"Synchronous operations are disallowed. Call {instead} or set AllowSynchronousIO to true.");
            }
        }
    }
}
